"""docs/files.md says what the modules say."""

from tests.repository.file_list import LIST, file_list


def test_the_list_of_files_is_what_the_modules_say_of_themselves() -> None:
    assert LIST.read_text() == file_list(), "run: make files"
