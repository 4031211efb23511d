"""Removing local copies, which is off unless the profile says otherwise, and never without proof of that moment.

`checks` holds every reason to refuse; `aside` moves all files of a set to a holding folder on the same disk, or none,
and back; `removal` proves everything once more when the grace is over, and removes; `policy` says which sets are due;
`duty` does one thing at a time, and goes on with what was cut off.
"""
