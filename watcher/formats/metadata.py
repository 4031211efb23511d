"""The small common form of what files say of themselves: the keys of `Examination.metadata`, all values as text.

acquired        when it was acquired, ISO 8601; with an offset only if the file has one
instrument      maker and model as found
objective       name, magnification and aperture as found
channels        their names, separated by ", "
size            XxYxZxCxT in pixels, planes, channels, time points
pixel_size_um   X x Y x Z in micrometres, as in 0.1x0.1x0.5
software        program and version
computer        the computer that acquired it
experimenter    the person as found: personal data, never logged and published only if the profile says so
"""

from typing import Final

#: Characters of one value that are kept, so that it fits a catalogue.
MAX_TEXT: Final = 500
