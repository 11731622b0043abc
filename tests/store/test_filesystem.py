"""Reading /proc: mounts and locks, on made-up ones, since no test can mount a network."""

from __future__ import annotations

import os

import pytest

from store.filesystem import Holder, holders, network_of


@pytest.fixture
def mounts(tmp_path):
    def write(*lines):
        file = tmp_path / "mounts"
        file.write_text("".join(f"{line}\n" for line in lines))
        return file

    return write


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "sshfs", "fuse.sshfs", "9p", "glusterfs", "lustre"])
def test_network_file_systems_are_named(tmp_path, mounts, kind):
    table = mounts("/dev/sda / ext4 rw 0 0", f"server:/x {tmp_path} {kind} rw 0 0")
    found = network_of(tmp_path / "e.sqlite", table)
    assert found.kind == kind and found.mount == tmp_path and kind in str(found)


def test_a_local_disk_is_none_even_beside_a_network(tmp_path, mounts):
    (tmp_path / "net").mkdir()
    table = mounts("server:/ / nfs rw 0 0", f"/dev/sda {tmp_path} ext4 rw 0 0", f"s:/ {tmp_path}/net cifs rw 0 0")
    assert network_of(tmp_path / "e.sqlite", table) is None
    assert network_of(tmp_path / "network.sqlite", table) is None
    assert network_of(tmp_path / "net" / "e.sqlite", table).kind == "cifs"


def test_what_is_mounted_later_covers_what_was_there(tmp_path, mounts):
    table = mounts(f"s:/ {tmp_path} nfs rw 0 0", f"tmpfs {tmp_path} tmpfs rw 0 0", "broken")
    assert network_of(tmp_path / "e.sqlite", table) is None


def test_spaces_in_a_mount(tmp_path, mounts):
    (tmp_path / "my share").mkdir()
    table = mounts(f"s:/ {tmp_path}/my\\040share nfs4 rw 0 0")
    assert network_of(tmp_path / "my share" / "e.sqlite", table).kind == "nfs4"


def test_a_link_is_followed(tmp_path, mounts):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    table = mounts(f"s:/ {tmp_path}/real nfs rw 0 0")
    assert network_of(tmp_path / "link" / "e.sqlite", table).kind == "nfs"


def test_without_mounts_nothing_is_known(tmp_path):
    assert network_of(tmp_path / "e.sqlite", tmp_path / "no-such-file") is None


@pytest.fixture
def proc(tmp_path):
    folder = tmp_path / "proc"
    log = tmp_path / "e.sqlite"
    log.touch()
    for pid, command, opened in ((11, b"python\0-m\0playpen", log), (12, b"vim", tmp_path / "other"), (13, b"sh", log)):
        (folder / str(pid) / "fd").mkdir(parents=True)
        (folder / str(pid) / "cmdline").write_bytes(command)
        (folder / str(pid) / "fd" / "3").symlink_to(opened)
    return folder, log


def test_the_one_with_the_write_lock_is_named(proc):
    folder, log = proc
    inode = log.stat().st_ino
    (folder / "locks").write_text(
        f"1: POSIX  ADVISORY  READ 13 fe:00:{inode} 0 EOF\n"
        f"2: POSIX  ADVISORY  WRITE 11 fe:00:{inode} 120 120\n"
        f"2: -> POSIX  ADVISORY  WRITE 13 fe:00:{inode} 120 120\n"
        f"3: FLOCK  ADVISORY  WRITE 12 fe:00:{inode + 1} 0 EOF\n"
    )
    assert holders(log, folder) == [Holder(11, "python -m playpen")]
    assert str(holders(log, folder)[0]) == "process 11 (python -m playpen)"


def test_else_those_who_have_it_open(proc):
    folder, log = proc
    assert [holder.pid for holder in holders(log, folder)] == [11, 13]


def test_never_ourselves_and_nothing_without_proc(proc, tmp_path):
    folder, log = proc
    (folder / "locks").write_text(f"1: POSIX  ADVISORY  WRITE {os.getpid()} fe:00:{log.stat().st_ino} 0 EOF\n")
    assert holders(log, folder) == []
    assert holders(log, tmp_path / "none") == []


def test_a_process_that_ended_meanwhile(proc):
    folder, log = proc
    (folder / "11" / "cmdline").unlink()
    (folder / "13" / "cmdline").write_bytes(b"x" * 500)
    assert holders(log, folder)[0].command == "ended meanwhile"
    assert len(holders(log, folder)[1].command) == 81
