from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.errors import DatasetError
from emodetect.training.data.dataset import read_crops, read_data_set
from emodetect.training.data.votes import read_votes
from tests.builders import shared_data
from tests.training.data_sets import make_face, write_data_set, write_fer2013_csv, write_fer2013new_csv


def test_both_layouts_hold_the_same_faces(data_set: Path, tmp_path: Path) -> None:
    folders, table = read_data_set(data_set), read_data_set(write_fer2013_csv(tmp_path / "fer2013.csv"))
    for in_folders, in_table in zip(folders, table, strict=True):
        assert len(in_folders) > 0
        np.testing.assert_array_equal(in_folders.labels, in_table.labels)
        np.testing.assert_array_equal(in_folders.images, in_table.images)


def test_votes_as_their_authors_publish_them_go_with_the_original_table(data_set: Path, votes: Path, tmp_path: Path) -> None:
    table = write_fer2013_csv(tmp_path / "fer2013.csv")
    published = write_fer2013new_csv(tmp_path / "fer2013new.csv", table)
    for part, (in_folders, in_table) in enumerate(zip(read_data_set(data_set), read_data_set(table), strict=True)):
        by_path, by_row = read_votes(votes, in_folders.keys), read_votes(published, in_table.keys)
        removed = np.flatnonzero(by_row.not_a_face())
        assert len(removed) == (1 if part == 0 else 0)
        kept = np.setdiff1d(np.arange(len(in_table)), removed)
        np.testing.assert_array_equal(by_row.counts[kept], by_path.counts[kept])


def test_votes_of_another_table_are_refused(data_set: Path, votes: Path, tmp_path: Path) -> None:
    table = write_fer2013_csv(tmp_path / "fer2013.csv")
    published = write_fer2013new_csv(tmp_path / "fer2013new.csv", table)
    lines = published.read_text().splitlines()
    shuffled, short = tmp_path / "shuffled.csv", tmp_path / "short.csv"
    shuffled.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    short.write_text("\n".join(lines[:-1]) + "\n")
    _, rows = read_data_set(table)
    _, paths = read_data_set(data_set)
    for file, faces, message in (
        (shuffled, rows, r"shuffled.csv: has 70 rows and no 'PublicTest row 43 of 70'.*in the same order"),
        (short, rows, r"short.csv: has 69 rows and no 'PublicTest row 43 of 70'.*in the same order"),
        (published, paths, r"fer2013new.csv: its rows are those of the original fer2013.csv, which `data` must name"),
        (votes, rows, r"votes.csv: names images by path; .*fer2013new.csv"),
    ):
        with pytest.raises(DatasetError, match=message):
            read_votes(file, faces.keys)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("9,{pixels},Training", r"line 2: unknown emotion '9'"),
        ("0,1 2 3,Training", r"line 2: expected 2304 pixels, got 3"),
        ("0,256 {pixels},Training", r"line 2: expected 2304 pixels, got 2305"),
        ("0,-1" + " 0" * 2303 + ",Training", r"line 2: expected pixels from 0 to 255, got -1"),
        ("0,a b,Training", r"line 2: the pixels are not all whole numbers"),
        ("0,99999999999999999999,Training", r"line 2: the pixels are not all whole numbers"),
        ("0,{pixels},Holiday", r"line 2: unknown Usage 'Holiday'"),
        ("0,Training,{pixels}", r"line 2: unknown Usage '.{40}\.\.\.'; expected Training"),
        ("{pixels},0,Training", r"line 2: unknown emotion '.{40}\.\.\.'"),
        ("0,{pixels},Training", r"no training faces for the label disgust"),
    ],
)
def test_what_is_wrong_in_a_csv_is_named(tmp_path: Path, row: str, message: str) -> None:
    pixels = " ".join(map(str, make_face(0, 0).ravel()))
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels,Usage\n" + row.format(pixels=pixels) + "\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_data_set(path)


@pytest.mark.parametrize("content", [b"emotion,pixels\n0,1\n", b"\xff\xfe\x00", b""])
def test_a_file_that_is_not_fer2013_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"other\.csv"):
        read_data_set(path)


def test_all_faults_of_a_folder_are_named_at_once(tmp_path: Path) -> None:
    data = write_data_set(tmp_path, train=1, test=1)
    shutil.rmtree(data / "train" / "fear")
    (data / "train" / "sadd").mkdir()
    (data / "train" / "sad" / "im0000.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError) as caught:
        read_data_set(data)
    for part in (
        "no images for the label fear",
        "unknown label 'sadd'; did you mean 'sad'?",
        "im0000.png: not an image that can be read",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_faults_are_counted(tmp_path: Path) -> None:
    data = write_data_set(tmp_path, train=2, test=1)
    for path in (data / "train").glob("*/*.png"):
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match="and 9 more faults"):
        read_data_set(data)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_missing_part_is_named(tmp_path: Path, part: str) -> None:
    data = write_data_set(tmp_path, train=1, test=1)
    shutil.rmtree(data / part)
    with pytest.raises(DatasetError, match=f"has no folder {part}"):
        read_data_set(data)


def test_crops_keep_their_size_and_color(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (70, 60, 3), np.uint8)
    (tmp_path / "test" / "happy").mkdir(parents=True)
    assert cv2.imwrite(str(tmp_path / "test" / "happy" / "a.png"), picture)
    found = read_crops(tmp_path / "test", allow_missing=True)
    np.testing.assert_array_equal(found.crops[0], picture)
    assert found.keys == ("test/happy/a.png",)
    assert found.as_faces().images.shape == (1, 48, 48)


def test_the_development_data_has_the_documented_copies() -> None:
    from emodetect.training.data.split import group_copies

    archive = shared_data("fer2013/fer2013.tar.gz")
    import tarfile

    images: dict[str, list[bytes]] = {"train": [], "test": []}
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".png") else None
            if file is not None:
                image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_GRAYSCALE)
                assert image is not None
                images[member.name.split("/")[1]].append(image.tobytes())
    train = np.stack([np.frombuffer(image, np.uint8) for image in images["train"]])
    assert len(train) - len(np.unique(group_copies(train))) == 1236
    seen = set(images["train"])
    assert sum(image in seen for image in images["test"]) == 280
