"""Bytes to arrays and tables, and back; knows no archive."""
