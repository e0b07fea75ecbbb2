# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A memory of normal features for each place of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

from monai_anomaly.networks.blocks.memory.memory_addressing import (
    SPARSIFIERS,
    add_gumbel_noise,
    addressing_weights,
    top_rows,
)

__all__ = ["SpaceAwareMemory"]


class SpaceAwareMemory(nn.Module):
    """Answers the feature of every location from the features that the location has seen of normal images.

    The logits of a query are its dot products with the rows in scope, over ``temperature``; the answer is the sum of
    the rows, each times its weight (see ``addressing_weights``). Addressing is float32 also under autocast, because the
    products of long features are large and their softmax is nearly one row; a TorchScript module alone follows the
    autocast of its caller. ``forward`` never changes the memory.

    Args:
        locations: number of locations P.
        slots: number of rows S of each location.
        dim: length D of a feature.
        scope: the rows that a query sees: those of its own location ("local"), or all ("global").
        write: "learned" rows are a parameter (SimSID); "fifo" rows are a queue of the last S images (SQUID);
            "replace_dissimilar" takes a feature into the location's next row where no row is like it (the report).
        sparsify: "none", "topk", "topk_strict", "hard" or "gumbel_topk", see ``addressing_weights``.
        top_k: number of rows kept by the kinds of top-k.
        threshold: least share of the whole weight, for "hard".
        reduce: "weighted", or "sum": the plain sum of the rows kept.
        noise: when "gumbel_topk" adds its noise: "never", in "train" mode only, or "always"; evaluation is then random.
        temperature: divisor of the logits.
        similarity: cosine, in [-1, 1], from which on "replace_dissimilar" takes two features for the same. A feature of
            zeros has the cosine 0 with all others.

    Attributes:
        memory: rows ``(P, S, D)``, float32; a parameter if learned, else a buffer.
        filled: ``(P, S)``, bool: rows that hold something. An empty row is never part of an answer, and where all rows
            in scope are empty the answer is zero. Learned rows and those of a queue are all filled: they start uniform
            in ``+-1 / sqrt(D)``, as published.
        pointer: the row that is written next; one number, and one for each location, ``(P,)``, if "replace_dissimilar".

    Raises:
        ValueError: on an argument outside its range, and in ``forward`` and ``write`` on features of another shape.
        RuntimeError: by ``load_state_dict`` on a memory of another layout.

    Sources: SimSID, Xiang et al., TPAMI 2024, https://arxiv.org/abs/2403.08689; SQUID, Xiang et al., CVPR 2023,
    https://arxiv.org/abs/2111.13495; report of S. R., "Unsupervised Anomaly Detection using SimSID algorithm",
    Algorithm 4.4.

    Example:
        >>> memory = SpaceAwareMemory(locations=4, slots=200, dim=32)
        >>> memory(torch.rand(2, 4, 32)).shape
        torch.Size([2, 4, 32])
    """

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        memory: torch.Tensor
        filled: torch.Tensor
        pointer: torch.Tensor

    def __init__(
        self,
        locations: int,
        slots: int,
        dim: int,
        *,
        scope: str = "local",
        write: str = "learned",
        sparsify: str = "topk",
        top_k: int = 5,
        threshold: float = 0.0025,
        reduce: str = "weighted",
        noise: str = "never",
        temperature: float = 1.0,
        similarity: float = 0.9,
    ) -> None:
        super().__init__()
        if min(locations, slots, dim) < 1:
            raise ValueError(f"locations, slots and dim must be at least 1, got {locations}, {slots} and {dim}.")
        _check_choice("scope", scope, ("local", "global"))
        _check_choice("write", write, ("learned", "fifo", "replace_dissimilar"))
        _check_choice("sparsify", sparsify, SPARSIFIERS)
        _check_choice("reduce", reduce, ("weighted", "sum"))
        _check_choice("noise", noise, ("never", "train", "always"))
        if noise != "never" and sparsify != "gumbel_topk":
            raise ValueError(f"noise must be 'never' unless sparsify is 'gumbel_topk', got {noise!r} and {sparsify!r}.")
        rows = slots if scope == "local" else locations * slots
        least = 2 if sparsify == "topk_strict" else 1
        if sparsify not in ("none", "hard") and not least <= top_k <= rows:
            raise ValueError(
                f"top_k must be from {least} to {rows}, the rows in scope, for sparsify={sparsify!r}, got {top_k}; "
                "lower it or give the memory more slots."
            )
        if not 0.0 <= threshold < 1.0:
            raise ValueError(f"threshold must lie in [0, 1), got {threshold}.")
        if not 0.0 < temperature < float("inf"):
            raise ValueError(f"temperature must be positive, got {temperature}.")
        if not -1.0 <= similarity <= 1.0:
            raise ValueError(f"similarity must lie in [-1, 1], got {similarity}.")
        self.locations, self.slots, self.dim = locations, slots, dim
        self.is_local = scope == "local"
        self.write_rule = write
        self.sparsify = sparsify
        self.top_k = top_k
        self.threshold = threshold
        self.reduce = reduce
        self.noise = noise
        self.temperature = temperature
        self.similarity = similarity
        by_location = write == "replace_dissimilar"
        rows_at_start = torch.zeros(locations, slots, dim) if by_location else _uniform_rows(locations, slots, dim)
        if write == "learned":
            self.memory = nn.Parameter(rows_at_start)
        else:
            self.register_buffer("memory", rows_at_start)
        self.register_buffer("filled", torch.full((locations, slots), not by_location))
        self.register_buffer("pointer", torch.zeros(locations if by_location else (), dtype=torch.long))

    def forward(self, query: torch.Tensor) -> torch.Tensor:
        """Features ``(B, P, D)`` to what the memory answers, of the same shape and type; writes nothing."""
        if not torch.jit.is_tracing():  # type: ignore[attr-defined]
            self._check_tokens(query)
        if torch.jit.is_scripting():
            answer = self._retrieve(query)
        else:
            with torch.autocast(query.device.type, enabled=False):
                answer = self._retrieve(query)
        return answer

    @torch.no_grad()
    def write(self, tokens: torch.Tensor) -> None:
        """Take the features of a batch of normal images in, image by image, each at its own location.

        The tensors are replaced, not changed, so that gradients of answers given before can still be computed.

        Args:
            tokens: features ``(B, P, D)``; no gradient flows through them.

        Raises:
            ValueError: when the shape is another.
            RuntimeError: in evaluation mode, where the memory is frozen, and when it is learned.
        """
        if self.write_rule == "learned":
            raise RuntimeError(
                "a learned memory is written by its optimizer; use write='fifo' or 'replace_dissimilar'."
            )
        if not self.training:
            raise RuntimeError("the memory is frozen in evaluation mode; call train() to write normal images into it.")
        self._check_tokens(tokens)
        rows = tokens.detach().to(self.memory.dtype).transpose(0, 1)  # (P, B, D)
        with torch.autocast(tokens.device.type, enabled=False):
            if self.write_rule == "fifo":
                self._enqueue(rows)
            else:
                self._replace_dissimilar(rows)

    @torch.no_grad()
    def ensure_capacity(self, slots: int) -> None:
        """Grow to at least ``slots`` rows for each location; what is stored stays, and new rows are written first.

        Args:
            slots: number of rows; nothing happens if there are as many.

        Raises:
            RuntimeError: when the memory is learned and would have to grow.
        """
        more = slots - self.slots
        if more <= 0:
            return
        if self.write_rule == "learned":
            raise RuntimeError(f"a learned memory of {self.slots} slots cannot grow; make it with slots={slots}.")
        # A full ring is turned until its oldest row comes first, so that it is replaced first after the new rows.
        full = self.filled.all(dim=1, keepdim=True)
        turn = torch.where(full, self.pointer.reshape(-1, 1), 0) + torch.arange(self.slots, device=full.device)
        turned = self.memory.gather(1, (turn % self.slots).unsqueeze(-1).expand_as(self.memory))
        queue = self.write_rule == "fifo"
        new = _uniform_rows(self.locations, more, self.dim) if queue else torch.zeros(self.locations, more, self.dim)
        self.memory = torch.cat([turned, new.to(turned)], dim=1)
        self.pointer = torch.full_like(self.pointer, self.slots) if queue else self.filled.sum(dim=1)
        self.filled = F.pad(self.filled, (0, more), value=queue)
        self.slots = slots

    def _retrieve(self, query: torch.Tensor) -> torch.Tensor:
        memory, asked = self.memory.float(), query.float() / self.temperature
        if self.is_local:
            asked = asked.transpose(0, 1)  # (P, B, D)
            filled = self.filled.unsqueeze(1)  # (P, 1, S)
        else:  # one location that has the rows and the queries of all
            asked = asked.reshape(1, -1, self.dim)
            memory = memory.reshape(1, -1, self.dim)
            filled = self.filled.reshape(1, 1, -1)
        if self.write_rule == "replace_dissimilar":
            empty = torch.zeros_like(filled, dtype=memory.dtype).masked_fill(~filled, float("-inf"))
            logits = torch.baddbmm(empty, asked, memory.transpose(1, 2))
        else:  # all rows are filled
            logits = torch.bmm(asked, memory.transpose(1, 2))
        if self.noise == "always" or (self.noise == "train" and self.training):
            logits = add_gumbel_noise(logits)
        if torch.jit.is_scripting():
            answer = self._sum_all_rows(logits, memory)
        else:  # TorchScript does not look in here
            sum_rows = self._sum_top_rows if self._few_rows_will_do() else self._sum_all_rows
            answer = sum_rows(logits, memory)
        answer = answer.transpose(0, 1) if self.is_local else answer.reshape(query.shape)
        return answer.to(query.dtype)

    def _sum_all_rows(self, logits: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """Logits ``(L, N, S)`` and rows ``(L, S, D)`` to answers ``(L, N, D)``, with gradients."""
        weights = addressing_weights(logits, self.sparsify, self.top_k, self.threshold, self.reduce)
        return torch.bmm(weights, memory)

    @torch.jit.unused
    def _few_rows_will_do(self) -> bool:
        """Whether an answer needs no weights of all rows: nobody asks for a gradient, or exports what happens here."""
        exported = torch.jit.is_tracing() or torch.compiler.is_compiling()  # type: ignore[attr-defined]
        return "topk" in self.sparsify and not torch.is_grad_enabled() and not exported

    @torch.jit.unused
    def _sum_top_rows(self, logits: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """Return the same without gradients, of the rows kept alone, in a quarter less time."""
        weights, index = top_rows(logits, self.top_k, self.sparsify == "topk_strict", self.reduce == "sum")
        places, slots, _ = memory.shape
        index = index + slots * torch.arange(places, device=index.device).reshape(-1, 1, 1)
        answer = F.embedding_bag(
            index.flatten(0, 1), memory.flatten(0, 1), mode="sum", per_sample_weights=weights.flatten(0, 1)
        )
        return answer.unflatten(0, (places, -1))

    def _enqueue(self, rows: torch.Tensor) -> None:
        """Rows ``(P, B, D)`` into the ring; of more than S only the last S would be left."""
        count = rows.shape[1]
        kept = min(count, self.slots)
        places = (self.pointer + torch.arange(count - kept, count, device=rows.device)) % self.slots
        self.memory = self.memory.index_copy(1, places, rows[:, count - kept :])
        self.pointer = (self.pointer + count) % self.slots

    def _replace_dissimilar(self, rows: torch.Tensor) -> None:
        """Rows ``(P, B, D)`` one image after the other, each compared with what the images before it have left.

        All cosines are computed at once, with the memory and among the images. The scan then only copies: a written row
        brings its cosines with all images along.
        """
        every = torch.arange(self.locations, device=rows.device)
        memory, filled, pointer = self.memory.clone(), self.filled.clone(), self.pointer.clone()
        unit = F.normalize(rows, dim=-1)
        lengths = memory.norm(dim=-1).clamp(min=1e-12).unsqueeze(1)  # (P, 1, S)
        likeness = torch.bmm(unit, memory.transpose(1, 2)) / lengths  # (P, B, S), with the memory
        likeness.masked_fill_(~filled.unsqueeze(1), float("-inf"))
        among = torch.bmm(unit, unit.transpose(1, 2))  # (P, B, B), with the images of the batch
        for image in range(rows.shape[1]):
            new = likeness[:, image].amax(dim=-1) < self.similarity  # (P,)
            column = new.unsqueeze(1)
            memory[every, pointer] = torch.where(column, rows[:, image], memory[every, pointer])
            likeness[every, :, pointer] = torch.where(column, among[:, :, image], likeness[every, :, pointer])
            filled[every, pointer] |= new
            pointer = torch.where(new, (pointer + 1) % self.slots, pointer)
        self.memory, self.filled, self.pointer = memory, filled, pointer

    def _check_tokens(self, tokens: torch.Tensor) -> None:
        if tokens.dim() != 3 or tokens.shape[1] != self.locations or tokens.shape[2] != self.dim:
            shape = list(tokens.shape)
            raise ValueError(f"features must be (B, {self.locations}, {self.dim}), got {shape}.")

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """torch's own, with one sentence for a memory of another layout."""
        problem = self._misfit({name: state_dict.get(prefix + name) for name in ("memory", "filled", "pointer")})
        if problem is None:
            super()._load_from_state_dict(state_dict, prefix, *args)
        else:
            args[-1].append(f"{prefix}memory: {problem}")  # the list of errors, which load_state_dict raises

    def _misfit(self, stored: dict[str, torch.Tensor | None]) -> str | None:
        """Why the stored tensors do not fit into this memory, and what cures it."""
        memory, pointer = stored["memory"], stored["pointer"]
        if memory is not None and memory.shape != self.memory.shape:
            theirs, ours = tuple(memory.shape), tuple(self.memory.shape)
            return f"the checkpoint holds {theirs} (locations, slots, dim), this memory {ours}; make it with the same."
        if pointer is not None and pointer.shape != self.pointer.shape:
            return f"the checkpoint's memory was not written by write={self.write_rule!r}; make this one as that was."
        return None


def _uniform_rows(locations: int, slots: int, dim: int) -> torch.Tensor:
    return torch.empty(locations, slots, dim).uniform_(-(dim**-0.5), dim**-0.5)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")
