"""What a board or a run says, in three lines: the best setting, the others, and what is wrong.

Several boards have a line each in place of the first two.
"""
