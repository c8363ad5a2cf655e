"""The course: the files of its lessons, and the grades of their exercises.

`nnrun/docs/course` has a page, a config and the start of an exercise for each lesson. An exercise
has criteria; those about results are checked by training with seeds of the course's own.
"""
