//! A folder of the library imports only what stands above it in the list of layers.

use std::{collections::BTreeSet, fs, path::Path};
use syn::visit::Visit;

/// From the bottom of what may be used to the top of what may use it.
const LAYERS: [&str; 13] = [
    "random",
    "sum",
    "wire",
    "task",
    "graph",
    "scheduler",
    "worker",
    "transport",
    "monitor",
    "runtime",
    "client",
    "array",
    "bag",
];

/// Files beside the folders, each with the highest folder that it may import.
const FILES: [(&str, Option<&str>); 4] =
    [("notice", None), ("pattern", None), ("config", Some("sum")), ("error", Some("bag"))];

/// The lowest folder that may import `error.rs`. That file wraps the errors of all layers, so for a lower one it would
/// close a circle.
const ERROR_FROM: &str = "client";

/// The paths that begin with `crate::` outside of tests: the name behind it.
#[derive(Default)]
struct Imports(BTreeSet<String>);

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

impl Imports {
    fn tree(&mut self, tree: &syn::UseTree, below_crate: bool) {
        match tree {
            syn::UseTree::Path(path) if below_crate => drop(self.0.insert(path.ident.to_string())),
            syn::UseTree::Path(path) => self.tree(&path.tree, path.ident == "crate"),
            syn::UseTree::Name(name) if below_crate => drop(self.0.insert(name.ident.to_string())),
            syn::UseTree::Rename(name) if below_crate => drop(self.0.insert(name.ident.to_string())),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, below_crate)),
            _ => {}
        }
    }

    /// Paths in the arguments of macros, which are not parsed.
    fn tokens(&mut self, tokens: &str) {
        let tokens = tokens.replace(' ', "");
        for (at, found) in tokens.match_indices("crate::") {
            if !tokens[..at].ends_with(|c: char| c == '$' || c.is_alphanumeric()) {
                let name: String = tokens[at + found.len()..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                self.0.insert(name);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_test(&function.attrs) {
            syn::visit::visit_item_fn(self, function);
        }
    }
    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            syn::visit::visit_impl_item_fn(self, function);
        }
    }
    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        if !is_test(&import.attrs) {
            self.tree(&import.tree, false);
        }
    }
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [first, second, ..] = &names[..]
            && first == "crate"
        {
            self.0.insert(second.clone());
        }
        syn::visit::visit_path(self, path);
    }
    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.tokens(&invocation.tokens.to_string());
        syn::visit::visit_macro(self, invocation);
    }
}

/// What a source file imports from the crate's root.
fn imports(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).expect("a source file");
    let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut imports = Imports::default();
    imports.visit_file(&file);
    imports.0
}

fn check(folder: &Path, layer: usize, wrong: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        let name = path.file_stem().unwrap_or_default();
        // Tests may look at everything.
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            check(&path, layer, wrong);
            continue;
        }
        let first_above_error = LAYERS.iter().position(|layer| *layer == ERROR_FROM).expect("a layer");
        for import in imports(&path) {
            let above = LAYERS.iter().position(|layer| *layer == import).is_some_and(|other| other > layer);
            if above || import == "error" && layer < first_above_error {
                wrong.push(format!("{} imports {import}", path.display()));
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
    for (file, highest) in FILES {
        let may = LAYERS.iter().position(|layer| Some(*layer) == highest);
        for import in imports(&root.join(file).with_extension("rs")) {
            let layer = LAYERS.iter().position(|layer| *layer == import);
            if layer.is_some() && layer > may {
                wrong.push(format!("{file}.rs imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_seen_wherever_they_stand() {
    let file = syn::parse_file(
        "use crate::{a::x, b as other, c::{y, z}};
         #[cfg(test)] use crate::hidden::x;
         fn f() -> crate::d::T { g!(crate::e::x, $crate::hidden::y); }
         #[cfg(test)] fn first() { crate::hidden::x() }
         impl crate::f::Trait for super::X { fn h() { use crate::g; } }
         #[cfg(test)] mod tests { use crate::hidden; }
         fn behind_the_first_test() { crate::h::x() }",
    );
    let mut imports = Imports::default();
    imports.visit_file(&file.expect("a file"));
    assert!(imports.0.iter().eq(["a", "b", "c", "d", "e", "f", "g", "h"]), "{:?}", imports.0);
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
