"""Data sets as they come: names, numbers and files of the published ones, and what systems and people leave in them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from emodetect.errors import DatasetError, UsageError
from emodetect.training.data.dataset import read_crops, read_data_set, read_faces
from emodetect.training.data.label_names import NUMBERED, LabelNames
from emodetect.training.data.negatives import read_negatives
from emodetect.training.data.votes import read_votes
from emodetect.training.evaluation import EvaluationSet
from emodetect.types import EMOTIONS
from tests.cli.running import assert_one_line, run
from tests.training.data_sets import VOTE_COLUMNS, make_face, votes_for, write_data_set, write_fer2013_csv

LABELS = [emotion.value for emotion in EMOTIONS]


def write_pictures(folder: Path, *names: str) -> Path:
    """``NAME=LABEL`` each: a picture of this label under this name."""
    for number, (name, label) in enumerate(text.rsplit("=", 1) for text in names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / name), make_face(LABELS.index(label), number))
    return folder


def assert_labels_are_right(folder: Path, count: int, names: LabelNames | None = None) -> tuple[str, ...]:
    """The stripe in each picture (`make_face`) tells its true label; returns the notes."""
    faces = read_faces(folder, names=names or LabelNames(), allow_missing=True)
    assert len(faces) == count
    for image, label in zip(faces.images, faces.labels, strict=True):
        assert (int(image.mean(axis=1).argmax()) - 4) // 6 == label
    return faces.notes


def test_files_that_systems_leave_are_left_out_aloud(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "test", "happy/a.png=happy", "sad/b.webp=sad", "sad/p1/c.tiff=sad")
    for name in ("happy/._a.png", "happy/.DS_Store", "sad/Thumbs.db", "sad/p1/._c.tiff", "._happy", "__MACOSX/x.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / "sad" / "list.txt").write_text("x")
    assert assert_labels_are_right(folder, 3) == (f"{folder}: left out: 6 hidden files, 1 .txt file",)


def test_pictures_in_sub_folders_keep_their_whole_path_as_their_key(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "test", "happy/p1/a.png=happy", "happy/p2/a.png=happy", "sad/a.png=sad")
    faces = read_crops(folder, allow_missing=True)
    assert faces.keys == ("test/happy/p1/a.png", "test/happy/p2/a.png", "test/sad/a.png")
    table = tmp_path / "votes.csv"
    lines = [",".join(["image", *VOTE_COLUMNS])]
    for key, label in zip(faces.keys, (0, 3, 4), strict=True):
        lines.append(",".join([f"set/{key}", *map(str, votes_for(label, contempt=False))]))
    table.write_text("\n".join(lines) + "\n")
    np.testing.assert_array_equal(read_votes(table, faces.keys).majority_seven(), [0, 3, 4])


@pytest.mark.parametrize("name", ["raf-db", "affectnet", "fer2013"])
def test_numbers_mean_what_the_data_set_says(tmp_path: Path, name: str) -> None:
    known = {number: label for number, label in NUMBERED[name].items() if label in LABELS}
    assert sorted(known.values()) == sorted(LABELS)
    folder = write_pictures(tmp_path / "test", *(f"{number}/a.png={label}" for number, label in known.items()))
    assert assert_labels_are_right(folder, 7, LabelNames.parse(name)) == ()
    with pytest.raises(DatasetError, match=r"test/\d: a number for a label.*`folder_labels` takes fer2013 \(0 to 6\), raf-db"):
        read_faces(folder, allow_missing=True)


def test_the_numberings_are_those_that_are_published() -> None:
    raf = [NUMBERED["raf-db"][str(number)] for number in range(1, 8)]
    assert raf == ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
    affect = [NUMBERED["affectnet"][str(number)] for number in range(8)]
    assert affect == ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt"]


def test_a_number_that_the_data_set_lacks_shows_that_it_is_another(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "test", *(f"{number}/a.png=sad" for number in range(7)))
    with pytest.raises(DatasetError, match=r"test/0: no label has this number; raf-db has 1 to 7 \(`folder_labels`\)"):
        read_faces(folder, names=LabelNames.parse("raf-db"), allow_missing=True)


def test_names_of_ones_own_are_told(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "test", "Freude/a.png=happy", "Wut/a.png=angry", "01/a.png=sad", "alt/a.png=fear")
    names = LabelNames.parse("freude=joy, wut=Anger, 1=sad, alt=none")
    assert assert_labels_are_right(folder, 3, names) == (f"{folder}: left out: 1 picture with none of the labels",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raf", "'raf' is no data set whose numbers are known; .*did you mean 'raf-db'"),
        ("1=hapy", "'1=hapy' names no label; did you mean 'happy'"),
        ("1=sad,01=happy", "'01' stands twice"),
        ("=sad", "names no label"),
        ("", "no data set"),
        (",=", "names no label"),
    ],
)
def test_what_names_no_label_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LabelNames.parse(text)


def test_the_folders_of_ck_plus_are_known(tmp_path: Path) -> None:
    words = ("anger=angry", "disgust=disgust", "fear=fear", "happy=happy", "sadness=sad", "surprise=surprise", "contempt=sad")
    folder = write_pictures(tmp_path / "CK+48", *(f"{word.split('=')[0]}/S1.png={word.split('=')[1]}" for word in words))
    assert assert_labels_are_right(folder, 6) == (f"{folder}: left out: 1 picture of contempt",)


def test_the_file_names_of_kdef_and_jaffe_are_known(tmp_path: Path) -> None:
    codes = {"AN": "angry", "DI": "disgust", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprise"}
    kdef = [f"AF01/AF01{code}S.JPG={label}" for code, label in (codes | {"AF": "fear"}).items()]
    folder = write_pictures(tmp_path / "KDEF", *kdef, "AF31/AF31V.JPG=sad")
    notes = assert_labels_are_right(folder, 7)
    assert "the labels are read from the names of the files, which are those of KDEF" in notes[0]
    assert notes[1] == f"{folder}: left out: 1 picture whose name holds no label"
    jaffe = [f"KA.{code}1.{number}.tiff={label}" for number, (code, label) in enumerate((codes | {"FE": "fear"}).items())]
    folder = write_pictures(tmp_path / "jaffe", *jaffe)
    (folder / "README_FIRST.txt").write_text("x")
    notes = assert_labels_are_right(folder, 7)
    assert "those of JAFFE" in notes[0]
    assert notes[1] == f"{folder}: left out: 1 .txt file"


def test_pictures_in_no_folder_of_a_label_are_told_where_they_belong(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "faces", "a.png=sad", "b.png=happy")
    with pytest.raises(DatasetError, match=r"faces: 2 pictures in no label's folder; expected folders named angry, disgust"):
        read_faces(folder)
    with pytest.raises(DatasetError, match=r"no images in any label's folder; .* found traurig \(`folder_labels` says"):
        read_faces(write_pictures(tmp_path / "other", "traurig/a.png=sad"))


def test_a_folder_above_that_is_nearly_called_like_a_label(tmp_path: Path) -> None:
    write_data_set(tmp_path / "data" / "fer", train=1, test=1)
    with pytest.raises(DatasetError, match=r"no folder of a label in it; did you mean .*data/fer\?$"):
        EvaluationSet.read(tmp_path / "data", None)


def test_the_folder_above_is_told_which_one_was_meant(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "fer2013" / "fer2013", train=1, test=1)
    with pytest.raises(
        DatasetError, match=r"fer2013: has no folder train and no folder test; .*did you mean .*fer2013/fer2013\?$"
    ):
        read_data_set(data.parent)
    with pytest.raises(DatasetError, match=r"no folder of a label in it; did you mean .*fer2013/fer2013\?$"):
        EvaluationSet.read(data.parent, None)
    with pytest.raises(DatasetError, match=r"did you mean .*fer2013/fer2013\?$"):
        EvaluationSet.read(data.parent.parent, None)
    with pytest.raises(DatasetError, match=r"the labels' folders in it belong into one of these"):
        read_data_set(data / "train")
    (data / "test").rename(data / "validation")
    with pytest.raises(DatasetError, match=r"has no folder test; .*is .*/validation what test is called there"):
        read_data_set(data)


def test_capitals_in_names_of_parts_do_not_matter(tmp_path: Path) -> None:
    data = write_data_set(tmp_path, train=1, test=1)
    for part in ("train", "test"):
        (data / part).rename(data / f"{part}-")
        (data / f"{part}-").rename(data / part.upper())
    train, test = read_data_set(data)
    assert (len(train), len(test)) == (7, 7)
    assert EvaluationSet.read(data / "TEST", None).copies is not None


def archive(path: Path) -> Path:
    """A small archive of the kind that its name says."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("fer2013.csv", "x")
    elif ".tar" in path.name or path.name.endswith(".tgz"):
        with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tar:
            tar.addfile(tarfile.TarInfo("fer2013"), io.BytesIO())
    else:
        path.write_bytes(gzip.compress(b"emotion,pixels,Usage\n"))
    return path


@pytest.mark.parametrize(
    ("name", "command"),
    [("fer2013.tar.gz", "tar -xf"), ("fer2013.tgz", "tar -xf"), ("data.gz", "gunzip -k"), ("fer2013.csv.gz", "gunzip -k"),
     ("archive.zip", "unzip"), ("fer2013.tar", "tar -xf"), ("fer2013.csv", "gunzip -k"), ("my set.zip", "unzip")],
)  # fmt: skip
def test_an_archive_is_told_to_be_unpacked(tmp_path: Path, name: str, command: str) -> None:
    path = archive(tmp_path / name)
    for read in (lambda: EvaluationSet.read(path, None), lambda: read_data_set(path)):
        with pytest.raises(DatasetError) as caught:
            read()
        assert f"{name}: is an archive; unpack it ({command} " in str(caught.value)


HEADER_SAMPLES = {
    "icml": "emotion, Usage, pixels\n0,Training,{a}\n3,PublicTest,{d}\n",
    "bom": "\ufeffemotion,pixels,Usage\r\n0,{a},Training\r\n3,{d},PublicTest\r\n",
    "quoted": '"emotion","pixels","Usage"\n"0","{a}","Training"\n"3", "{d}", "PublicTest"\n',
    "semicolons": "Emotion;Pixels;Usage\n0;{a};Training\n3;{d};PublicTest\n",
    "tabs": "pixels\tusage\temotion\n{a}\tTraining\t0\n{d}\tPublicTest\t3\n",
    "brackets": "emotion,pixels,Usage\n0,[{a}],training\n\n3,[{d} ],publictest\n",
    "more columns": ",emotion,pixels,Usage,note\n1,0,{a},Training,x\n2,3,{d},PublicTest,\n",
    "words": "emotion,pixels,Usage\nanger,{a},Training\nHappiness,{d},PublicTest\n",
}


@pytest.mark.parametrize("kind", HEADER_SAMPLES)
def test_tables_are_read_as_they_come(tmp_path: Path, kind: str) -> None:
    pixels = {"a": " ".join(map(str, make_face(0, 0).ravel())), "d": " ".join(map(str, make_face(3, 0).ravel()))}
    path = tmp_path / ("fer2013.tsv" if kind == "tabs" else "fer2013.csv")
    path.write_bytes(HEADER_SAMPLES[kind].format(**pixels).encode())
    test_set = EvaluationSet.read(path, None)
    assert test_set.faces.labels.tolist() == [3]
    np.testing.assert_array_equal(test_set.faces.as_faces().images[0], make_face(3, 0))
    assert test_set.faces.notes == ()


def test_a_table_without_usage_is_judged_as_a_whole_and_trains_nothing(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    rows = [f"{label},{' '.join(map(str, make_face(label, 0).ravel()))}" for label in range(7)]
    path.write_text("\n".join(["emotion,pixels", *rows]) + "\n")
    test_set = EvaluationSet.read(path, None)
    assert test_set.faces.labels.tolist() == list(range(7))
    assert test_set.faces.notes == (f"{path}: has no column Usage; all its rows count",)
    with pytest.raises(DatasetError, match=r"train.csv: no column 'Usage'"):
        read_data_set(path)


def test_the_numbers_of_a_table_can_be_told(tmp_path: Path) -> None:
    path = tmp_path / "raf.csv"
    rows = [f"{number},{' '.join(map(str, make_face(0, number).ravel()))}" for number in range(8)]
    path.write_text("\n".join(["emotion,pixels", *rows]) + "\n")
    test_set = EvaluationSet.read(path, None, LabelNames.parse("affectnet"))
    expected = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"]
    assert [LABELS[label] for label in test_set.faces.labels] == expected
    assert f"{path}: left out: 1 row of contempt" in test_set.faces.notes
    with pytest.raises(DatasetError, match=r"line 2: unknown emotion '0'; expected 1 to 7 \(raf-db\)"):
        EvaluationSet.read(path, None, LabelNames.parse("raf-db"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes("emotion,pixels,Usage\n".encode(encoding))
    with pytest.raises(DatasetError, match=r"fer2013.csv: .*UTF-16.*; save it as UTF-8"):
        read_data_set(path)


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    """None of these would end: nobody writes into the pipes."""
    data = write_data_set(tmp_path / "set", train=2, test=2)
    for name in ("train/happy/x.png", "test/happy/x.png"):
        os.mkfifo(data / name)
    train, test = read_data_set(data)
    assert (len(train), len(test)) == (14, 14)
    assert train.notes == (f"{data / 'train'}: left out: 1 named pipe",)
    os.mkfifo(tmp_path / "fer2013.csv")
    os.mkfifo(tmp_path / "faces")
    for path in (tmp_path / "fer2013.csv", tmp_path / "faces"):
        with pytest.raises(DatasetError, match="is a named pipe"):
            EvaluationSet.read(path, None)
        with pytest.raises(DatasetError, match="is a named pipe"):
            read_votes(path, train.keys)
    negatives = shutil.copytree(data / "test" / "sad", tmp_path / "negatives")
    os.mkfifo(negatives / "pipe-1.png")
    assert [len(part) for part in read_negatives(negatives, 0.5, 0)] == [1, 1]


def test_evaluate_says_what_it_left_out_once_and_nothing_if_quiet(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "test", "1/a.png=surprise", "2/b.png=fear", "3/c.txt.png=disgust")
    (folder / "1" / "._a.png").write_bytes(b"x")
    done = run("evaluate", "--data", folder, "--folder-labels", "raf-db", "--format", "json")
    assert_one_line(done, 0, "test: left out: 1 hidden file")
    assert run("evaluate", "--data", folder, "--folder-labels", "raf-db", "--quiet").stderr == ""
    assert_one_line(run("evaluate", "--data", folder), 1, "a number for a label", "--folder-labels takes")


def test_a_table_of_fer2013_is_what_it_was(tmp_path: Path) -> None:
    train, test = read_data_set(write_fer2013_csv(tmp_path / "fer2013.csv", train=2, test=1))
    assert train.keys[0] == "Training row 1 of 28"
    assert (len(train), len(test), train.notes) == (14, 7, ())


def test_a_folder_of_another_label_within_a_label_is_a_fault(tmp_path: Path) -> None:
    """As after a slip of the mouse."""
    folder = write_pictures(tmp_path / "test", "happy/Sad/a.png=sad", "sad/b.png=sad", "happy/p1/c.png=happy")
    with pytest.raises(DatasetError, match=r"happy/Sad: a folder of the label sad in that of happy; move or rename it$"):
        read_crops(folder, allow_missing=True)


def test_links_to_other_labels_and_folders_above_are_left_out(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "test", "happy/a.png=happy", "sad/b.png=sad")
    (folder / "happy" / "up").symlink_to("..")
    (folder / "happy" / "more").symlink_to("../sad")
    assert assert_labels_are_right(folder, 2) == (f"{folder}: left out: 2 links to folders that are read elsewhere",)
