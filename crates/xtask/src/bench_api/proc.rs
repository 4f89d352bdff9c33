//! What a program uses, from `/proc`: itself, its threads, and whatever it started.

use std::{collections::HashMap, fs, time::Duration};

/// One process, as proc(5) describes `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Of all its threads, ended ones too, and of the children that it has waited for.
    ticks: u64,
}

/// CPU time that it has had so far, in user mode and in the kernel. Precise to the kernel's clock tick (10 ms).
pub(super) fn cpu(process: u32) -> Duration {
    let all = processes();
    let ticks: u64 = family(process, &all).iter().map(|one| all[one].ticks).sum();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

/// Memory that it has at this moment, in MB. What processes share counts for each of them.
pub(super) fn memory_mb(process: u32) -> f64 {
    let resident = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()
    };
    let kilobytes: f64 = family(process, &processes()).iter().filter_map(resident).sum();
    kilobytes / 1024.0
}

/// It and its descendants, as far as they live.
fn family(process: u32, all: &HashMap<u32, Stat>) -> Vec<u32> {
    let mut family: Vec<u32> = all.contains_key(&process).then_some(process).into_iter().collect();
    let mut looked_at = 0;
    while let Some(parent) = family.get(looked_at).copied() {
        family.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| id));
        looked_at += 1;
    }
    family
}

fn processes() -> HashMap<u32, Stat> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    folders
        .filter_map(|folder| {
            let id = folder.file_name().to_str()?.parse().ok()?;
            Some((id, stat(&fs::read_to_string(folder.path().join("stat")).ok()?)?))
        })
        .collect()
}

/// The name of a program may hold anything, so fields are counted from behind it.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let times = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok());
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: times.sum::<Option<u64>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_behind_the_name() {
        let line = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 9 1 1";
        assert_eq!(stat(line), Some(Stat { parent: 3, ticks: 127 }));
        assert_eq!(stat("7 (a"), None);
    }

    #[test]
    fn a_family_is_everybody_below() {
        let of = |parent| Stat { parent, ticks: 1 };
        let all = HashMap::from([(1, of(0)), (2, of(1)), (3, of(2)), (4, of(1)), (5, of(9))]);
        let mut family = family(1, &all);
        family.sort_unstable();
        assert_eq!(family, [1, 2, 3, 4]);
        assert!(super::family(7, &all).is_empty());
    }

    #[test]
    fn this_process_uses_something() {
        assert!(memory_mb(std::process::id()) > 0.0);
    }
}
