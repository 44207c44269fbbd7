//! What the probe sees of the image and the machine: glibc, kernel, processor, control groups, mounts, network, processes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::redact::{Name, path, process_name};
use crate::row::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new('?', "glibc of the image", glibc()),
        Row::new(
            '?',
            "processor: x86-64 or arm64, and its level",
            processor(),
        ),
        Row::new('?', "kernel", kernel()),
        Row::list(
            'D',
            "limits of the control group (memory, CPU = memory/128 × 100 + 200 millicores)",
            control_group(),
        ),
        Row::new('D', "`/tmp` has 512 MB", size_of_tmp()),
        Row::list('?', "mounts", mounts()),
        Row::list('?', "network: interfaces", interfaces()),
        Row::new(
            '?',
            "network: name servers and default route",
            name_servers(),
        ),
        Row::list(
            '?',
            "network: TCP ports on which a process listens",
            ports(),
        ),
    ]
}

/// Rows that change when processes start, so they are collected again.
#[derive(Default)]
pub(crate) struct Processes {
    names: BTreeSet<String>,
    environment: BTreeMap<bool, usize>,
}

/// How many names of processes are listed.
const MAX_PROCESSES: usize = 40;

impl Processes {
    /// Returns the processes that run at the moment.
    pub(crate) fn look() -> Self {
        let mut seen = Self::default();
        let own = std::process::id().to_string();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            if id == own || !id.bytes().all(|it| it.is_ascii_digit()) {
                continue;
            }
            // Kernel threads have no command line.
            let read = |file| fs::read_to_string(entry.path().join(file)).ok();
            let name = read("cmdline")
                .filter(|it| !it.is_empty())
                .and(read("comm"));
            let Some(name) = name else {
                continue;
            };
            if seen.names.len() < MAX_PROCESSES {
                seen.names.insert(process_name(name.trim()));
            }
            // The kernel checks the permission when the file is opened. Its content is not read.
            let readable = fs::File::open(entry.path().join("environ")).is_ok();
            *seen.environment.entry(readable).or_default() += 1;
        }
        seen
    }

    /// Adds the processes that were seen later.
    pub(crate) fn add(&mut self, later: Self) {
        let room = MAX_PROCESSES.saturating_sub(self.names.len());
        let new: Vec<_> = later
            .names
            .difference(&self.names)
            .take(room)
            .cloned()
            .collect();
        self.names.extend(new);
        self.environment = later.environment;
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let count = |readable| self.environment.get(&readable).unwrap_or(&0);
        let environment = format!(
            "readable: {} processes; not readable: {}",
            count(true),
            count(false)
        );
        vec![
            Row::list(
                '?',
                "other processes that it sees",
                self.names.iter().cloned().collect(),
            ),
            Row::new(
                '?',
                "the environment of other processes",
                (!self.environment.is_empty()).then_some(environment),
            ),
        ]
    }
}

fn glibc() -> Option<String> {
    const DIRECTORIES: [&str; 6] = [
        "/lib64",
        "/usr/lib64",
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/lib",
        "/usr/lib",
    ];
    let libc = DIRECTORIES
        .iter()
        .map(|it| Path::new(it).join("libc.so.6"))
        .find(|it| it.exists());
    let Some(libc) = libc else {
        let musl = fs::read_dir("/lib")
            .ok()?
            .flatten()
            .any(|it| it.file_name().to_string_lossy().starts_with("ld-musl-"));
        return Some(if musl { "none; musl" } else { "none" }.to_owned());
    };
    let bytes = fs::read(libc).ok()?;
    let banner = b"GNU C Library";
    let at = bytes.windows(banner.len()).position(|it| it == banner)?;
    let line = bytes[at..].split(|it| *it == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let version = line.split("version ").nth(1)?;
    let version: String = version
        .chars()
        .take_while(|it| it.is_ascii_digit() || *it == '.')
        .collect();
    Some(version.trim_end_matches('.').to_owned())
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1)
    };
    let flags: BTreeSet<_> = field("flags")
        .or(field("Features"))
        .unwrap_or_default()
        .split(' ')
        .collect();
    let has = |names: &[&str]| names.iter().all(|it| flags.contains(it));
    let level = if std::env::consts::ARCH != "x86_64" {
        ""
    } else if !has(&["cx16", "popcnt", "sse4_1", "sse4_2", "ssse3"]) {
        "-v1"
    } else if !has(&["avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"]) {
        "-v2"
    } else if !has(&["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]) {
        "-v3"
    } else {
        "-v4"
    };
    let vendors = ["GenuineIntel", "AuthenticAMD", "HygonGenuine"];
    let vendor =
        field("vendor_id").and_then(|it| vendors.into_iter().find(|name| *name == it.trim()));
    let vendor = vendor.unwrap_or("unknown vendor");
    let count = text
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    Some(format!(
        "{}{level}, {vendor}, {count} visible",
        std::env::consts::ARCH
    ))
}

fn kernel() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let version: Vec<_> = release.split(['.', '-']).take(2).collect();
    let version = version.join(".");
    version
        .bytes()
        .all(|it| it.is_ascii_digit() || it == b'.')
        .then(|| format!("Linux {version}"))
}

fn control_group() -> Vec<String> {
    const FILES: [&str; 9] = [
        "memory.max",
        "cpu.max",
        "pids.max",
        "cgroup.freeze",
        "memory/memory.limit_in_bytes",
        "cpu/cpu.cfs_quota_us",
        "cpu/cpu.cfs_period_us",
        "pids/pids.max",
        "freezer/freezer.state",
    ];
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let depth = own
        .lines()
        .filter_map(|line| line.rsplit(':').next())
        .map(|it| it.matches('/').count())
        .max();
    let value = |file: &&str| {
        let text = fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok()?;
        let words: Vec<_> = text.split_whitespace().collect();
        let is_limit = |it: &&str| {
            it.parse::<i64>().is_ok() || ["max", "THAWED", "FROZEN", "FREEZING"].contains(it)
        };
        words
            .iter()
            .all(is_limit)
            .then(|| format!("{file} {}", words.join(" ")))
    };
    let mut lines: Vec<_> = FILES.iter().filter_map(value).collect();
    let version = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        "version 2"
    } else {
        "version 1, or not mounted"
    };
    lines.insert(0, version.to_owned());
    lines.extend(depth.map(|it| format!("path of {it} levels")));
    lines
}

fn size_of_tmp() -> Option<String> {
    let stat = statvfs("/tmp").ok()?;
    let megabytes = |blocks: u64| blocks * stat.fragment_size() / 1_000_000;
    Some(format!(
        "{} MB, of which {} MB are free",
        megabytes(stat.blocks()),
        megabytes(stat.blocks_available())
    ))
}

fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (place, kind, options) = (words.next()?, words.next()?, words.next()?);
        let mode = if options.split(',').any(|it| it == "ro") {
            "ro"
        } else {
            "rw"
        };
        (!["cgroup", "mqueue", "devpts"].contains(&kind))
            .then(|| format!("{} {} {mode}", path(place), Name::of_system(kind)))
    };
    let mounts: BTreeSet<_> = text.lines().filter_map(mount).collect();
    mounts.into_iter().take(40).collect()
}

fn interfaces() -> Vec<String> {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    names
        .map(|(name, _)| Name::of_system(name.trim()).to_string())
        .take(20)
        .collect()
}

fn name_servers() -> Option<String> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver "))
        .filter_map(|it| it.trim().parse().ok());
    let kinds: Vec<_> = servers
        .map(|address| match address {
            std::net::IpAddr::V4(it) if it.is_loopback() => "loopback",
            std::net::IpAddr::V4(it) if it.is_private() => "private",
            std::net::IpAddr::V4(it) if it.is_link_local() || it.octets()[0] == 100 => {
                "link-local or shared"
            }
            std::net::IpAddr::V4(_) => "public",
            std::net::IpAddr::V6(_) => "IPv6",
        })
        .collect();
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let default = routes
        .lines()
        .skip(1)
        .any(|line| line.split('\t').nth(1) == Some("00000000"));
    Some(format!(
        "name servers: {}; default route: {}",
        if kinds.is_empty() {
            "none".to_owned()
        } else {
            kinds.join(", ")
        },
        if default { "yes" } else { "no" }
    ))
}

fn ports() -> Vec<String> {
    let mut ports = BTreeSet::new();
    for (file, loopback) in [
        ("/proc/net/tcp", "0100007F"),
        ("/proc/net/tcp6", "00000000000000000000000001000000"),
    ] {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<_> = line.split_whitespace().collect();
            let [_, local, _, "0A", ..] = words[..] else {
                continue;
            };
            let Some((address, port)) = local.split_once(':') else {
                continue;
            };
            let place = match address {
                _ if address == loopback => "loopback",
                _ if address.bytes().all(|it| it == b'0') => "all interfaces",
                _ => "another address",
            };
            ports.extend(u16::from_str_radix(port, 16).map(|port| (port, place)));
        }
    }
    ports
        .into_iter()
        .take(40)
        .map(|(port, place)| format!("{port} on {place}"))
        .collect()
}
