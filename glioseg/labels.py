"""Which values of a mask are classes: lesion or not, or several that exclude each other."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Labels(BaseModel):
    """The ``[labels]`` table of a recipe.

    Without values a mask says lesion or not, and a network ends in one channel (sigmoid). With values each
    is a class, everything else is background, and a network ends in one channel a class, background first
    (softmax).

    Attributes:
        values: what masks store for each class, 1 to 255; 0 is background.
        names: what people call the classes; their values by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: tuple[int, ...] = Field(default=(), description="stored value of each class; none: lesion or not")
    names: tuple[str, ...] = Field(default=(), description="name of each class")

    @model_validator(mode="after")
    def _fits(self) -> Labels:
        if any(not 1 <= value <= 255 for value in self.values) or len(set(self.values)) < len(self.values):
            raise ValueError("values are different whole numbers from 1 to 255")
        if self.names and len(self.names) != len(self.values):
            raise ValueError(f"{len(self.values)} values but {len(self.names)} names")
        if len(set(self.titles)) < len(self.titles):
            raise ValueError("names differ from each other")
        return self

    @property
    def given(self) -> bool:
        """Whether there are classes, and not lesion or not alone."""
        return bool(self.values)

    @property
    def channels(self) -> int:
        """Channels in which a network ends: 1, or background and every class."""
        return len(self.values) + 1 if self.values else 1

    @property
    def titles(self) -> tuple[str, ...]:
        """Names of the classes, without background."""
        return self.names or tuple(map(str, self.values))
