"""Correlations of noises, and the intensity of white noise."""

from __future__ import annotations

import re

from sde_lab.equations.errors import EquationError
from sde_lab.equations.expression_tree import ONE, Node, mul
from sde_lab.equations.reading import vocabulary
from sde_lab.equations.reading.definitions import (
    Correlation,
    Definitions,
)
from sde_lab.equations.reading.scanner import Piece
from sde_lab.equations.reading.statements import (
    Part,
)


class Noises(Definitions):
    """Read what is said of the noises."""

    def _is_mean_of_noise(self, left: list[Piece]) -> bool:
        head = left[0]
        if head.text in ("⟨", "mean") or (
            head.text == "E" and len(left) > 1 and left[1].text in ("[", "(", "{")
        ):
            return True
        return head.text == "d" and len(left) > 1 and left[1].text in ("⟨", "[")

    def _labels(self, pieces: list[Piece]) -> list[str]:
        """Return the labels of the noises that stand in the pieces."""
        return [
            piece.text
            for piece in pieces
            if piece.kind in ("differential", "name", "state")
            and (piece.kind == "differential" or self._folds_to_noise(piece.text))
            and piece.text not in ("t", "dt", "d", "E")
        ]

    def _folds_to_noise(self, name: str) -> bool:
        base = re.sub(r"_.*|[0-9]+$", "", name)
        return (
            base in vocabulary.NOISE_NAMES or re.fullmatch(r"[WBZ][A-Za-z]?\d*", name) is not None
        )

    def _mean_of_noise(self, part: Part, left: list[Piece]) -> None:
        """Read ⟨ξ(t) ξ(s)⟩ = 2D δ(t − s), d⟨W1, W2⟩ = ρ dt or E[dW1 dW2] = ρ dt."""
        labels = self._labels(left)
        if not labels:
            marks = ("t", "s", "u", "E", "tau", "d")
            labels = [p.text for p in left if p.kind == "name" and p.text not in marks]
        right = self._fold(part.right)
        if len(labels) < 2:
            if labels:
                self._intensity.setdefault(labels[0], None)
            self._leave_out(part)
            return
        dirac = next(
            (k for k, p in enumerate(right[:-1]) if p.text == "delta" and right[k + 1].text == "("),
            None,
        )
        first, last = labels[0], labels[1]
        if dirac is not None:
            factors = [p for p in right[:dirac] if not re.match(r"delta", p.text)]
            value = self._parse(factors) if factors else ONE
            base = re.sub(r"_.*|[0-9]+$", "", first)
            same = first == last or bool(re.search(r"_?[ij]+$", first))
            if same:
                self._intensity[base if first != last else first] = value
            elif value.value != 0.0:
                self.correlations.append(Correlation((first, last), value, part.pieces[0].location))
            return
        if first != last:
            self._correlation(part, (first, last))
        else:
            self._leave_out(part)

    def _named_correlation(self, part: Part, left: list[Piece]) -> None:
        """Read corr(dW1, dW2) = rho, the form of the plain grammar."""
        shape = [piece.text for piece in (left[1], left[3], left[-1])] if len(left) == 6 else []
        if shape != ["(", ",", ")"]:
            raise self._error(left[-1], "corr(dW1, dW2) = rho works")
        for piece in (left[2], left[4]):
            if piece.kind != "differential" or piece.text in (*self._names.states, "t"):
                raise self._error(piece, "a noise such as dW1 works here")
        value = self._parse(self._fold(part.right))
        pair = (left[2].text, left[4].text)
        self.correlations.append(Correlation(pair, value, left[0].location))

    def _correlation(self, part: Part, labels: tuple[str, str]) -> None:
        right = self._fold(part.right)
        location = part.pieces[0].location
        if right and right[-1].text in ("t", "dt") and len(right) > 1:
            right = right[:-1]
        if len(right) == 1 and right[0].text in ("t", "dt") and right[0].kind != "number":
            return
        value = self._parse(right)
        if value.value == 0.0:
            return
        if value.op != "name" and value.value is None:
            raise EquationError(value.location, "", "a number or the name of one parameter works")
        if value.value is not None and not -1.0 < value.value < 1.0:
            raise EquationError(value.location, "", "a correlation lies between -1 and 1")
        self.correlations.append(Correlation(labels, value, location))

    def _scale_white_noise(self) -> None:
        """Multiply by the root of the intensity where ⟨ξ(t) ξ(s)⟩ is more than δ(t − s)."""
        for item in self.increments:
            for label, coefficient in item.noises.items():
                base = re.sub(r"_.*|[0-9]+$", "", label)
                value = self._intensity.get(label, self._intensity.get(base))
                if value is None or value == ONE:
                    continue
                root = Node("sqrt", (value,), location=item.location)
                item.noises[label] = mul(coefficient, root)
                self._names.remark(
                    f"{label} has the intensity that its correlation says: its root is a factor"
                )
