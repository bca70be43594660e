"""What another library said, fit to stand in a sentence of ours."""

LONGEST = 200


def one_line(said: object) -> str:
    r"""Give the first line of what an error says, at most 200 characters, all of them printable.

    >>> one_line(ValueError("wrong length\nTraceback (most recent call last):"))
    'wrong length'
    >>> print(one_line("1.2\x00.840"))
    1.2\x00.840
    """
    line = next((line for line in str(said).splitlines() if line.strip()), "")
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line.strip())
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
