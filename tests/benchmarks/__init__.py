"""Figures of this program, each beside something measured in the same run. They are told, never asserted."""
