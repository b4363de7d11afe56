"""What an estimate says, in words, tables and pictures: for the terminal, a page and the window.

Everything here is made from messages alone: no torch, no Qt, and nothing is read or written.
``parts`` is what a bar is made of, ``differences`` what plans differ in, ``page`` the report.
"""
