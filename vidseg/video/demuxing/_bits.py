"""Bits of a coded header, read one syntax element at a time."""


class BitReader:
    """Reads bits from the start of `data`; past its end, they are zeros."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def u(self, count: int) -> int:
        """An unsigned integer of `count` bits."""
        self._left -= count
        shifted = self._bits >> self._left if self._left >= 0 else self._bits << -self._left
        return shifted & ((1 << count) - 1)

    def ue(self) -> int:
        """An unsigned Exp-Golomb code (ITU-T H.264 section 9.1)."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if self._left <= 0:
                return 0
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """A signed Exp-Golomb code (ITU-T H.264 section 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)
