"""A folder becomes a repository of the Hugging Face hub: a model, or a data set. Every failure is one sentence."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Kind: TypeAlias = Literal["model", "dataset"]
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""OWNER/NAME."""


class CannotPush(ValueError):
    """Nothing can be pushed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What was pushed, or would be: files with their sizes in bytes, and where they are then."""

    to: str
    files: dict[str, int]
    url: str = ""
    """Empty where nothing was sent."""


def sizes(folder: Path) -> dict[str, int]:
    """Every file of a folder with its size, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def open_repository(to: str, kind: Kind, private: bool, *, must: bool = False) -> HfApi:
    """The hub, where `to` is a repository now; a new one is private where that is asked for. Raises CannotPush.

    `must`: a repository that was there and is public will not do.
    """
    if importlib.util.find_spec("huggingface_hub") is None:
        raise CannotPush("pushing needs huggingface_hub: pip install huggingface_hub, then hf auth login")
    from huggingface_hub import HfApi

    api = HfApi()
    with _asking(to):
        api.create_repo(to, repo_type=kind, private=private or None, exist_ok=True)
        public = must and not api.repo_info(to, repo_type=kind).private
    if public:
        raise CannotPush(f"{to} is there already and public; name another, or push with --consent public")
    return api


def upload(api: HfApi, folder: Path, to: str, kind: Kind, message: str) -> str:
    """Send the folder; returns the address where it then is. Raises CannotPush."""
    with _asking(to):
        api.upload_folder(repo_id=to, repo_type=kind, folder_path=folder, commit_message=message)
    return f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{to}"


@contextmanager
def _asking(to: str) -> Generator[None]:
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise CannotPush("the hub does not know who you are: hf auth login, or set HF_TOKEN") from error
    except HfHubHTTPError as error:
        code = error.response.status_code
        hint = "; log in with hf auth login, or set HF_TOKEN" if code in (401, 403) else ""
        raise CannotPush(f"the hub refused {to} ({code}){hint}") from error
    except Exception as error:  # what a lost connection raises differs between its versions
        raise CannotPush(f"the hub cannot be reached ({type(error).__name__}); try again when it can") from error
