from __future__ import annotations

import csv
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from emodetect.backends.labels import FERPLUS_LABELS
from emodetect.errors import DatasetError
from emodetect.training.data.dataset import read_faces
from emodetect.training.data.labeled import LabeledFaces
from emodetect.training.data.split import group_copies, split_validation, without_copies_of
from emodetect.training.data.votes import Votes, read_votes
from emodetect.types import EMOTIONS, Emotion
from tests.builders import shared_data

COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")


def make_pictures(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), np.uint8)


def make_faces(labels: Sequence[int], images: npt.NDArray[np.uint8] | None = None) -> LabeledFaces:
    count = len(labels)
    keys = tuple(f"train/{EMOTIONS[label]}/im{index:04d}.png" for index, label in enumerate(labels))
    return LabeledFaces(make_pictures(count) if images is None else images, np.asarray(labels, np.int64), keys)


def write_folders(folder: Path, counts: Mapping[str, int]) -> Path:
    """``folder/<label>/im0000.png``; each picture as bright as its label's place times 20, plus its number."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            level = 20 * EMOTIONS.index(Emotion(name.lower())) + index
            assert cv2.imwrite(str(folder / name / f"im{index:04d}.png"), np.full((48, 48), level, np.uint8))
    return folder


ALL = {emotion.value: 2 for emotion in EMOTIONS}


def test_faces_are_read_with_the_labels_of_their_folders(tmp_path: Path) -> None:
    counts = {name: 1 + place for place, name in enumerate(ALL)}
    faces = read_faces(write_folders(tmp_path / "train", counts))
    assert len(faces) == sum(counts.values())
    assert faces.images.shape == (len(faces), 48, 48)
    assert faces.images.dtype == np.uint8
    # Brightness tells the true label: folders come in alphabetical order, labels do not.
    np.testing.assert_array_equal(faces.images[:, 0, 0] // 20, faces.labels)
    for key, label in zip(faces.keys, faces.labels, strict=True):
        part, name, file = key.split("/")
        assert (part, name) == ("train", EMOTIONS[label].value)
        assert file.endswith(".png")


def test_files_come_in_sorted_order(tmp_path: Path) -> None:
    faces = read_faces(write_folders(tmp_path / "train", dict.fromkeys(ALL, 12)))
    assert [key.split("/")[-1] for key in faces.keys[:12]] == [f"im{index:04d}.png" for index in range(12)]
    np.testing.assert_array_equal(faces.images[:12, 0, 0], np.arange(12))


def test_the_case_of_folders_does_not_matter_and_other_files_are_left_out(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "train", {name.upper(): 1 for name in ALL})
    (folder / "ANGRY" / "notes.txt").write_text("x")
    (folder / "README.md").write_text("x")
    (folder / ".cache").mkdir()
    assert len(read_faces(folder)) == 7


def test_pictures_of_other_sizes_and_colors_become_gray_48(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "train", ALL)
    assert cv2.imwrite(str(folder / "angry" / "im0000.png"), np.full((96, 70, 3), (200, 200, 200), np.uint8))
    faces = read_faces(folder)
    assert faces.images.shape[1:] == (48, 48)
    np.testing.assert_array_equal(faces.images[0], np.full((48, 48), 200))


@pytest.mark.parametrize("missing", ["folder", "images"])
def test_a_label_without_images_is_an_error_unless_allowed(tmp_path: Path, missing: str) -> None:
    folder = write_folders(tmp_path / "test", {name: 2 for name in ALL if name != "disgust"})
    if missing == "images":
        (folder / "disgust").mkdir()
    with pytest.raises(DatasetError, match="no images for the label disgust"):
        read_faces(folder)
    faces = read_faces(folder, allow_missing=True)
    assert sorted(set(faces.labels.tolist())) == [0, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(faces.images[:, 0, 0] // 20, faces.labels)


@pytest.mark.parametrize("allow_missing", [False, True])
def test_no_images_at_all_are_an_error(tmp_path: Path, allow_missing: bool) -> None:
    with pytest.raises(DatasetError, match="no images"):
        read_faces(tmp_path, allow_missing=allow_missing)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder") as caught:
        read_faces(tmp_path / "train")
    assert str(tmp_path / "train") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"), [("neutrall", "neutral"), ("Suprise", "surprise"), ("hapy", "happy"), ("disgst", "disgust")]
)
def test_a_name_near_a_label_gets_a_suggestion(tmp_path: Path, name: str, meant: str) -> None:
    folder = write_folders(tmp_path / "train", ALL)
    (folder / name).mkdir()
    with pytest.raises(DatasetError, match=rf"unknown label '{name}'; did you mean '{meant}'\?$"):
        read_faces(folder)


def test_other_words_for_labels_are_known(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "train", ALL)
    words = {"angry": "Anger", "fear": "fearful", "happy": "03_Happiness", "sad": "SADNESS", "disgust": "1-disgusted"}
    for label, word in words.items():
        (folder / label).rename(folder / word)
    faces = read_faces(folder)
    np.testing.assert_array_equal(faces.images[:, 0, 0] // 20, faces.labels)
    assert len(faces) == 14
    assert faces.notes == ()


def test_folders_that_are_none_of_the_labels_are_left_out_aloud(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "train", ALL)
    for name, count in (("contempt", 2), ("bored", 1), ("empty", 0)):
        (folder / name).mkdir()
        for number in range(count):
            (folder / name / f"{number}.png").write_bytes((folder / "sad" / "im0000.png").read_bytes())
    faces = read_faces(folder)
    assert len(faces) == 14
    assert faces.notes == (f"{folder}: left out: 2 pictures of contempt, 1 picture in bored, which is no label",)


def test_two_folders_for_one_label_are_an_error_and_none_is_lost(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "train", ALL)
    try:
        (folder / "Sad").mkdir()
    except FileExistsError:
        pytest.skip("this file system does not tell capitals from small letters")
    with pytest.raises(DatasetError, match="second folder for the label sad"):
        read_faces(folder)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_folders(tmp_path / "train", ALL)
    (folder / "fear" / "im0001.png").write_bytes(content)
    with pytest.raises(DatasetError, match=r"fear/im0001\.png: (not an image that can be read|the file is empty)"):
        read_faces(folder)


@pytest.mark.parametrize(
    ("images", "labels", "keys"),
    [((2, 48, 48), (3,), 2), ((3, 48, 48), (2,), 2), ((2, 48, 47), (2,), 2), ((2, 48, 48, 1), (2,), 2), ((2, 48, 48), (2,), 0)],
)
def test_faces_of_which_the_shapes_do_not_fit_are_refused(images: tuple[int, ...], labels: tuple[int, ...], keys: int) -> None:
    with pytest.raises(ValueError, match="expected images"):
        LabeledFaces(np.zeros(images, np.uint8), np.zeros(labels, np.int64), ("a",) * keys)


@pytest.mark.parametrize("indices", [[], [2], [2, 0], [1, 1]])
def test_taking_keeps_image_label_and_key_together(indices: list[int]) -> None:
    faces = make_faces([4, 0, 6])
    taken = faces.take(np.asarray(indices, np.int64))
    assert len(taken) == len(indices)
    for place, index in enumerate(indices):
        np.testing.assert_array_equal(taken.images[place], faces.images[index])
        assert taken.labels[place] == faces.labels[index]
        assert taken.keys[place] == faces.keys[index]


def test_copies_are_numbered_by_the_first_of_them() -> None:
    images = make_pictures(4)[[0, 1, 0, 2, 1, 0]]
    np.testing.assert_array_equal(group_copies(images), [0, 1, 0, 3, 1, 0])
    assert group_copies(make_pictures(0)).shape == (0,)


def test_one_pixel_makes_a_difference() -> None:
    images = make_pictures(1)[[0, 0]]
    images[1, 47, 47] ^= 1
    np.testing.assert_array_equal(group_copies(images), [0, 1])


def test_faces_that_also_stand_among_others_are_left_out() -> None:
    pictures = make_pictures(5)
    faces, others = make_faces([0, 1, 2, 1], pictures[[0, 1, 2, 1]]), make_faces([3, 3], pictures[[1, 4]])
    left = without_copies_of(faces, others)
    assert left.keys == (faces.keys[0], faces.keys[2])
    assert without_copies_of(faces, make_faces([], pictures[:0])).keys == faces.keys
    assert len(without_copies_of(make_faces([], pictures[:0]), others)) == 0


LABELS = [0] * 200 + [1] * 20 + [3] * 400 + [6] * 100
"""Lopsided, as FER-2013 is, with labels that have no faces at all."""


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_validation_has_its_share_of_every_label(share: float) -> None:
    training, validation = split_validation(make_faces(LABELS), share, seed=1)
    for label in set(LABELS):
        assert (validation.labels == label).sum() == pytest.approx(share * LABELS.count(label), abs=1)
    assert len(training) + len(validation) == len(LABELS)


def test_every_face_is_in_exactly_one_part_and_keeps_its_label() -> None:
    faces = make_faces(LABELS)
    parts = split_validation(faces, 0.2, seed=1)
    assert sorted([*parts[0].keys, *parts[1].keys]) == sorted(faces.keys)
    known = dict(zip(faces.keys, zip(faces.labels, faces.images, strict=True), strict=True))
    for part in parts:
        for key, label, image in zip(part.keys, part.labels, part.images, strict=True):
            assert label == known[key][0]
            np.testing.assert_array_equal(image, known[key][1])


def test_the_split_depends_on_the_seed_alone() -> None:
    faces = make_faces(LABELS)
    first, again, other = (split_validation(faces, 0.2, seed)[1].keys for seed in (1, 1, 2))
    assert first == again
    assert set(first) != set(other)


def test_the_split_is_not_just_the_first_or_last_faces() -> None:
    _, validation = split_validation(make_faces([3] * 400), 0.25, seed=1)
    numbers = sorted(int(key[-8:-4]) for key in validation.keys)
    assert sum(number < 200 for number in numbers) == pytest.approx(50, abs=20)


def test_copies_stay_together_also_where_their_labels_differ() -> None:
    generator = np.random.default_rng(8)
    pictures = make_pictures(150)[generator.integers(0, 150, 600)]
    faces = make_faces(generator.integers(0, 7, 600).tolist(), pictures)
    training, validation = split_validation(faces, 0.3, seed=5)
    assert len(validation) > 100
    assert not {image.tobytes() for image in training.images} & {image.tobytes() for image in validation.images}
    assert len(training) + len(validation) == 600


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, len(LABELS))])
def test_nothing_and_everything_can_be_validation(share: float, expected: int) -> None:
    assert len(split_validation(make_faces(LABELS), share, seed=1)[1]) == expected


def test_splitting_nothing_gives_nothing() -> None:
    assert [len(part) for part in split_validation(make_faces([], make_pictures(0)), 0.2, seed=1)] == [0, 0]


def write_votes(path: Path, rows: Mapping[str, Sequence[int]], columns: Sequence[str] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *columns])
        writer.writerows([key, *votes] for key, votes in rows.items())
    return path


def votes(**counts: int) -> list[int]:
    """Ten numbers in the order of the table, by name."""
    assert set(counts) <= set(COLUMNS)
    return [counts.get(name, 0) for name in COLUMNS]


def majority(tmp_path: Path, **counts: int) -> str | None:
    path = write_votes(tmp_path / "votes.csv", {"train/angry/im0000.png": votes(**counts)})
    [winner] = read_votes(path, ["train/angry/im0000.png"]).majority()
    return None if winner == -1 else FERPLUS_LABELS[winner]


@pytest.mark.parametrize("name", FERPLUS_LABELS)
def test_everybody_agrees(tmp_path: Path, name: str) -> None:
    assert majority(tmp_path, **{name: 10}) == name


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param({"sadness": 6, "neutral": 4}, "sadness", id="more than half"),
        pytest.param({"sadness": 5, "neutral": 5}, None, id="half is not more than half"),
        pytest.param({"sadness": 5, "neutral": 3, "fear": 2}, None, id="half of all"),
        pytest.param({"sadness": 4, "neutral": 3, "fear": 3}, None, id="the most, but not half"),
        # The authors drop single votes first: five of nine remain.
        pytest.param({"sadness": 5, "neutral": 4, "fear": 1}, "sadness", id="a single vote does not count"),
        pytest.param({"happiness": 4, **dict.fromkeys(("anger", "fear", "disgust", "contempt", "surprise", "neutral"), 1)},
                     "happiness", id="many single votes do not count"),
        pytest.param({"happiness": 2, "sadness": 2, "anger": 1}, None, id="a tie"),
        pytest.param(dict.fromkeys(COLUMNS, 1), None, id="only single votes"),
        pytest.param({"unknown": 6, "sadness": 4}, None, id="unknown wins"),
        pytest.param({"NF": 8, "sadness": 2}, None, id="not a face wins"),
        pytest.param({"sadness": 5, "unknown": 3, "NF": 2}, None, id="unknown and not-a-face count in the half"),
        pytest.param({"sadness": 6, "unknown": 2, "NF": 2}, "sadness", id="more than half beside them"),
        pytest.param({"sadness": 5, "unknown": 4, "NF": 1}, "sadness", id="a single not-a-face does not count"),
        pytest.param({}, None, id="no votes"),
    ],
)  # fmt: skip
def test_the_official_majority(tmp_path: Path, counts: dict[str, int], expected: str | None) -> None:
    assert majority(tmp_path, **counts) == expected


def test_votes_are_matched_by_the_last_three_parts_and_stand_in_the_order_of_the_faces(tmp_path: Path) -> None:
    rows = {
        "fer2013/train/sad/im0001.png": votes(sadness=10),
        "test/sad/im0001.png": votes(fear=10),
        "train/happy/im0001.png": votes(happiness=10),
    }
    path = write_votes(tmp_path / "votes.csv", rows)
    keys = ["train/happy/im0001.png", "train/fear/im0009.png", "train/sad/im0001.png", "test/sad/im0001.png"]
    result = read_votes(path, keys)
    assert result.counts.shape == (4, 10)
    assert result.counts.dtype == np.float32
    names = [None if winner == -1 else FERPLUS_LABELS[winner] for winner in result.majority()]
    assert names == ["happiness", None, "sadness", "fear"]
    assert result.counts[1].sum() == 0


def test_the_columns_of_the_table_may_stand_in_any_order(tmp_path: Path) -> None:
    path = write_votes(tmp_path / "votes.csv", {"a/b/c.png": votes(anger=10)[::-1]}, COLUMNS[::-1])
    assert FERPLUS_LABELS[read_votes(path, ["a/b/c.png"]).majority()[0]] == "anger"


def test_the_distribution_is_over_the_eight_emotions_without_single_votes(tmp_path: Path) -> None:
    rows = {
        "a/b/1.png": votes(sadness=6, neutral=2, fear=1, NF=1),
        "a/b/2.png": votes(NF=8, unknown=2),
        "a/b/3.png": votes(contempt=2, unknown=8),
    }
    result = read_votes(write_votes(tmp_path / "votes.csv", rows), list(rows)).distribution()
    assert result.shape == (3, 8)
    assert result[0, FERPLUS_LABELS.index("sadness")] == pytest.approx(0.75)
    assert result[0, FERPLUS_LABELS.index("neutral")] == pytest.approx(0.25)
    assert result[0].sum() == pytest.approx(1)
    assert result[1].sum() == 0
    assert result[2, FERPLUS_LABELS.index("contempt")] == 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"NF": 10}, True),
        ({"NF": 4, "fear": 3, "sadness": 3}, True),
        ({"NF": 4, "fear": 6}, False),
        ({"unknown": 10}, False),
        ({}, False),
    ],
)
def test_what_is_not_a_face(counts: dict[str, int], expected: bool) -> None:
    assert Votes(np.asarray([votes(**counts)], np.float32)).not_a_face().tolist() == [expected]


def test_votes_of_nobody() -> None:
    nobody = Votes(np.zeros((0, 10), np.float32))
    assert nobody.majority().shape == (0,)
    assert nobody.distribution().shape == (0, 8)
    assert nobody.not_a_face().shape == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "no such file", id="missing"),
        pytest.param("", "no column 'image'", id="empty"),
        pytest.param("a,b\n1,2\n", "no column 'image'", id="another table"),
        pytest.param("image," + ",".join(COLUMNS[:-1]) + "\n", "no column 'NF'", id="a column is missing"),
        pytest.param("image," + ",".join(COLUMNS) + "\n", "votes for none of the images", id="no rows"),
        pytest.param("image," + ",".join(COLUMNS) + "\na/b/c.png,x" + ",0" * 9 + "\n", "not a number of votes", id="no number"),
        *(
            pytest.param("image," + ",".join(COLUMNS) + f"\na/b/c.png,{n}" + ",0" * 9 + "\n", "not a number of votes", id=n)
            for n in ("nan", "inf", "1e999", "-1")
        ),
        pytest.param("image," + ",".join(COLUMNS) + "\n" + "a" * 200_000, "field larger than", id="a huge cell"),
        pytest.param("image," + ",".join(COLUMNS) + "\na/b/c.png,1\n", "not a number of votes", id="a short row"),
        pytest.param("image," + ",".join(COLUMNS) + "\nx/y/z.png" + ",0" * 10 + "\n", r"such as a/b/c\.png", id="other images"),
    ],
)
def test_a_table_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "votes.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message) as caught:
        read_votes(path, ["a/b/c.png"])
    assert str(path) in str(caught.value)


def test_a_binary_file_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_bytes(b"\xff\xfe\x00\x81" * 50)
    with pytest.raises(DatasetError, match="cannot be read as a vote table"):
        read_votes(path, ["a/b/c.png"])


def test_some_of_fer2013_as_it_comes(tmp_path: Path) -> None:
    table = shared_data("fer2013/ferplus.csv")
    names: set[str] = set()
    # The first files of the archive are enough, and unpacking all of it is slow.
    with tarfile.open(shared_data("fer2013/fer2013.tar.gz")) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(".png") else None
            if content is None:
                continue
            target = tmp_path / "/".join(member.name.split("/")[-3:])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
            names.add(target.parent.parent.name)
            if len(list(target.parent.iterdir())) >= 150:
                break
    folder = tmp_path / names.pop()
    faces = read_faces(folder, allow_missing=True)
    assert len(faces) >= 150
    result = read_votes(table, faces.keys)
    voted = result.counts.sum(axis=1) > 0
    assert voted.mean() > 0.8
    # People agree with the label of FER-2013 more often than with any other.
    winners = result.majority()
    names_of = {"anger": "angry", "happiness": "happy", "sadness": "sad"}
    agreeing = [
        names_of.get(FERPLUS_LABELS[winner], FERPLUS_LABELS[winner]) == EMOTIONS[label].value
        for winner, label in zip(winners, faces.labels, strict=True)
        if winner >= 0
    ]
    assert np.mean(agreeing) > 0.4
