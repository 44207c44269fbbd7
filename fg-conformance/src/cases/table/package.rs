//! The PKG cases.

use crate::cases::Case;
use crate::cases::CaseId::*;
use crate::cases::Fixture::Files;
use crate::cases::Mark::{Documented, Inferred, Unknown};

pub(super) const CASES: [Case; 15] = [
    Case {
        id: Pkg01,
        mark: Documented,
        source: "2705",
        sentence: "the ZIP contains a folder named `extension`",
        tried: "The check looks for the folder at the top level of the ZIP.",
        remedy: "put the start script and the program into a folder named `extension` at the top level of the ZIP, \
                 or build the ZIP with `cargo fg package`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg02,
        mark: Documented,
        source: "2705",
        sentence: "there is a start script, named `extension….sh`",
        tried: "The check lists the files directly in the folder `extension`. Each start script is an extension; one of \
                them is booted. A script that is a link is a warning, because it is unknown whether the platform keeps \
                links. Without a ZIP, the check examines the script name given for the extension.",
        remedy: "put a start script into the folder, as a regular file; its name starts with `extension`, ends with \
                 `.sh`, and consists of printable ASCII characters without `/`",
        fixture: Files,
        prevented_by: &[Pkg01],
    },
    Case {
        id: Pkg03,
        mark: Unknown,
        source: "2705",
        sentence: "the start script and the programs are executable",
        tried: "The check reads the mode bits that the ZIP stores for the start script and for every ELF program. It is \
                unknown whether the platform applies them; if it does, a file without the executable bit cannot start. The \
                other cases are tested as if all files were executable.",
        remedy: "set mode 0755 before you create the ZIP (`chmod +x`), and use a ZIP tool that stores mode bits \
                 (`write` of Python's zipfile does, but `writestr` stores mode 0600)",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg04,
        mark: Inferred,
        source: "2705",
        sentence: "the start script has LF line endings",
        tried: "The check searches the start script for carriage returns. With CRLF line endings, the name of the \
                interpreter ends with a carriage return, and no such program exists.",
        remedy: "save the script with LF line endings (`dos2unix`; with Git, `*.sh eol=lf` in .gitattributes)",
        fixture: Files,
        prevented_by: &[Pkg02],
    },
    Case {
        id: Pkg05,
        mark: Inferred,
        source: "2705",
        sentence: "the first line of the start script is `#!` and a shell",
        tried: "The check reads the first line of the start script. `/bin/sh`, `/bin/bash` and `/usr/bin/env` \
                exist in every Linux image; any other absolute path is a warning. If this machine does not have the \
                interpreter, the extension is not booted.",
        remedy: "make `#!/bin/sh` the first line of the script, without a byte order mark before it",
        fixture: Files,
        prevented_by: &[Pkg02],
    },
    Case {
        id: Pkg06,
        mark: Inferred,
        source: "user guide",
        sentence: "the programs are built for x86-64",
        tried: "The check reads the header of every ELF program. A program for aarch64 is a warning, because it is \
                unknown whether the platform has such machines.",
        remedy: "build for x86_64-unknown-linux-musl, as `cargo fg package` does",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg07,
        mark: Unknown,
        source: "user guide",
        sentence: "the programs are static, or need glibc 2.17 or older",
        tried: "The check reads from every ELF program which loader and which version of glibc it needs. The \
                version that the platform has is unknown; nearly every Linux image has 2.17, so a program that \
                needs a newer one is a warning.",
        remedy: "link statically, as `cargo fg package` does, or build on Huawei Cloud EulerOS 2.0",
        fixture: Files,
        prevented_by: &[Pkg06],
    },
    Case {
        id: Pkg08,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP is at most 10 MB, the limit of a direct upload",
        tried: "The check compares the size of the ZIP with the limit. A larger ZIP is a warning, because it can \
                still be uploaded through object storage.",
        remedy: "strip the program and leave out files that it does not need, or upload the ZIP through object \
                 storage (OBS)",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg09,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP is at most 300 MB, the limit of object storage",
        tried: "The check compares the size of the ZIP with the limit.",
        remedy: "leave out files that the extension does not need, or split the ZIP into several dependencies",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg10,
        mark: Documented,
        source: "user guide",
        sentence: "the ZIP has at most 30,000 files",
        tried: "The check counts the files in the ZIP, without folders.",
        remedy: "leave out files that the extension does not need",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg11,
        mark: Documented,
        source: "user guide",
        sentence: "no file name in the ZIP ends with `~`",
        tried: "The check reads the names of all files in the ZIP.",
        remedy: "leave out the backup files of editors: `zip -x '*~'`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg12,
        mark: Inferred,
        source: "user guide",
        sentence: "no path or link in the ZIP leads outside it",
        tried: "The check searches the ZIP for absolute paths, for paths that climb above the top level with `..`, \
                and for links with such a target.",
        remedy: "create the ZIP with paths relative to the folder that contains `extension`",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg13,
        mark: Inferred,
        source: "user guide",
        sentence: "each file is in the ZIP only once",
        tried: "The check reads the complete list of files; most ZIP tools show only the last of two files with \
                the same name.",
        remedy: "create a new ZIP instead of adding to an existing one",
        fixture: Files,
        prevented_by: &[],
    },
    Case {
        id: Pkg14,
        mark: Inferred,
        source: "2705",
        sentence: "the ZIP can be read and unpacked",
        tried: "The check reads the list of files and unpacks the ZIP into a temporary directory. A file that is damaged, \
                encrypted or compressed with an unusual method cannot be unpacked. To protect this machine, the check does \
                not unpack more than 1 GB or 100,000 entries.",
        remedy: "create the ZIP again with an ordinary tool, without a password and with the method deflate, or build it \
                 with `cargo fg package`; leave out files if it is larger than this check unpacks",
        fixture: Files,
        prevented_by: &[Pkg12],
    },
    Case {
        id: Pkg15,
        mark: Unknown,
        source: "user guide",
        sentence: "the ZIP contains the shared libraries that its programs need",
        tried: "The check reads from every ELF file which shared libraries it needs. Those of glibc exist in every Linux \
                image that has glibc, and nearly every one has libgcc_s.so.1 and libstdc++.so.6. It is unknown which \
                others the platform has, so one that is in no folder of the ZIP is a warning.",
        remedy: "link statically, or put the library into the ZIP and set LD_LIBRARY_PATH in the start script",
        fixture: Files,
        prevented_by: &[Pkg06],
    },
];
