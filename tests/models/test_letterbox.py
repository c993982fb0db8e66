"""What the tile network makes of the letterbox: the border is no work, and changes nothing."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from modules.camera.conveyor import part, tile

MODELS = Path(__file__).resolve().parents[2] / "models"
HEIGHT, WIDTH = 384, 576
STRIDE = 4  # pixels: the side of a cell of heat

Letterbox = NDArray[np.float32]


def letterbox(height: int, width: int) -> Letterbox:
    """A rendered tile, repeated until it is as large, in the middle of the black canvas: (1, 1, HEIGHT, WIDTH)."""
    face = tile(1, part(1, 4, 0.5))
    picture = np.maximum(np.resize(np.tile(face, (1 + width // face.shape[1],) * 2), (height, width)), 1)
    canvas = np.zeros((1, 1, HEIGHT, WIDTH), np.float32)
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    canvas[0, 0, top : top + height, left : left + width] = picture / 255
    return canvas


UPRIGHT, LYING, WHOLE, SPECK = (384, 257), (190, 576), (384, 576), (9, 7)
BLACK = np.zeros((1, 1, HEIGHT, WIDTH), np.float32)


def opened(*, profile: Path | None = None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, str(profile / "run")
    return ort.InferenceSession(str(MODELS / "tile" / "model.onnx"), options, providers=["CPUExecutionProvider"])


def test_pictures_of_any_shapes_are_judged_together_as_they_are_alone() -> None:
    session = opened()
    pictures = [*(letterbox(*shape) for shape in (UPRIGHT, LYING, WHOLE, SPECK)), BLACK]
    alone = [session.run(None, {"picture": each}) for each in pictures]
    for some in ([0, 4], [0, 1], [1, 3], [0, 1, 2, 3, 4]):
        scores, heat = session.run(None, {"picture": np.concatenate([pictures[each] for each in some])})
        assert heat.shape == (len(some), HEIGHT // STRIDE, WIDTH // STRIDE)
        for place, each in enumerate(some):
            assert np.abs(scores[place] - alone[each][0][0]).max() < 0.05
            assert np.abs(heat[place] - alone[each][1][0]).max() < 0.5  # of a dozen and more


@pytest.mark.parametrize("shape", [UPRIGHT, LYING, WHOLE, SPECK])
def test_the_heat_lies_where_the_picture_lies_and_the_border_is_cold(shape: tuple[int, int]) -> None:
    picture = letterbox(*shape)
    _, heat = opened().run(None, {"picture": picture})
    cells = picture[0, 0].reshape(HEIGHT // STRIDE, STRIDE, WIDTH // STRIDE, STRIDE).max((1, 3)) > 0
    assert np.ptp(heat[0][~cells]) < 1e-4 if not cells.all() else True
    assert heat[0][cells].max() > heat[0].min() + 1
    assert heat[0][~cells].max(initial=-np.inf) <= heat[0][cells].max()


def test_the_border_is_not_worked_on(tmp_path: Path) -> None:
    def widest(shape: tuple[int, int]) -> int:
        folder = tmp_path / f"{shape[1]}"
        folder.mkdir()
        session = opened(profile=folder)
        session.run(None, {"picture": letterbox(*shape)})
        events = json.loads(Path(session.end_profiling()).read_text())
        ran = [each["args"] for each in events if each["args"].get("op_name", "").endswith("Conv")]
        return max(int(size[-1]) for each in ran for output in each["output_type_shape"] for size in output.values())

    assert widest(WHOLE) == WIDTH // 2
    assert UPRIGHT[1] / 2 < widest(UPRIGHT) <= (UPRIGHT[1] + 2 * 26) / 2
