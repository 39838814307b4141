//! A folder of the library imports only what stands above it in the list of layers.

use std::{fs, path::Path};

/// From the bottom of what may be used to the top of what may use it. `error.rs`, `config.rs` and
/// `notice.rs` are for all: errors wrap those of the layers that the user meets.
const LAYERS: [&str; 11] =
    ["random", "sum", "wire", "task", "graph", "scheduler", "worker", "transport", "client", "array", "bag"];

fn check(folder: &Path, layer: usize, wrong: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            // Tests may look at everything.
            if !path.ends_with("tests") {
                check(&path, layer, wrong);
            }
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for above in &LAYERS[layer + 1..] {
            if code.contains(&format!("crate::{above}::")) || code.contains(&format!("crate::{above};")) {
                wrong.push(format!("{} imports {above}", path.display()));
            }
        }
    }
}

#[test]
fn no_import_points_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (layer, name) in LAYERS.iter().enumerate() {
        check(&root.join(name), layer, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_one_place_knows_mpi_and_one_bincode() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut users = [Vec::new(), Vec::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source file");
            for (name, users) in ["mpi::", "bincode::"].iter().zip(&mut users) {
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let used = |line: &str| {
                    line.match_indices(name).any(|(at, _)| {
                        !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                    })
                };
                // `mod mpi` and what it exports are named by its parent.
                if code.filter(|line| !line.trim_start().starts_with("pub(crate) use mpi::")).any(used) {
                    users.push(path.strip_prefix(&root).expect("below the root").display().to_string());
                }
            }
        }
    }
    assert_eq!(users, [vec!["transport/mpi.rs".to_owned()], vec!["wire/codec.rs".to_owned()]]);
}
