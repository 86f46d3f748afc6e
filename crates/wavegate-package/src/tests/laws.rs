//! Laws over generated trees.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Bench, contents, write};
use crate::{Artifact, package};

#[derive(Debug, Clone)]
struct Generated {
    content: Vec<u8>,
    executable: bool,
}

type Tree = BTreeMap<String, Generated>;

/// Names that sort differently by byte, by locale and by component.
fn component() -> impl Strategy<Value = String> {
    prop_oneof!["[a-d]{1,2}", "[a-c]\\.[a-c]", "[a-b][-_ +~][a-b]", "[äжñ本]{1,2}"]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..200),
        1 => (any::<u8>(), 0usize..200_000).prop_map(|(byte, length)| vec![byte; length]),
        1 => (any::<u32>(), 60_000usize..140_000).prop_map(|(seed, length)| {
            let mut state = u64::from(seed) | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 57) as u8
            };
            (0..length).map(|_| next()).collect()
        }),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let path = vec(component(), 1..4).prop_map(|parts| parts.join("/"));
    let file = (content(), any::<bool>())
        .prop_map(|(content, executable)| Generated { content, executable });
    btree_map(path, file, 1..12).prop_map(|tree| {
        // A path that is a file in one place and a directory in another cannot exist.
        let is_parent = |name: &str| {
            let prefix = format!("{name}/");
            tree.keys().any(|other| other.starts_with(&prefix))
        };
        let names: Vec<_> = tree.keys().filter(|name| !is_parent(name)).cloned().collect();
        names.into_iter().map(|name| (name.clone(), tree[&name].clone())).collect()
    })
}

/// Writes `tree` in the order of `order`, as somebody with this umask would at this time.
fn build(tree: &Tree, order: &[u64], umask: u32, seconds: u64, directory: &Path) -> Artifact {
    let bench = Bench::new();
    let source = bench.dir.path().join(directory);
    let mut names: Vec<_> = tree.keys().enumerate().collect();
    names.sort_by_key(|(index, _)| order.get(*index).copied().unwrap_or(0));
    for (_, name) in names {
        let file = &tree[name];
        let path = source.join(name);
        write(&path, &file.content);
        let mode = if file.executable { 0o777 } else { 0o666 } & !umask;
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::open(&path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    }
    let artifact = package(&source, &bench.options()).unwrap();
    let found: Vec<_> = contents(&artifact.path);
    let mode = |file: &Generated| if file.executable { 0o100_755 } else { 0o100_644 };
    let expected: Vec<_> =
        tree.iter().map(|(name, file)| (name.clone(), mode(file), file.content.clone())).collect();
    assert!(found == expected, "the entries are not the tree");
    let size: usize = tree.values().map(|file| file.content.len()).sum();
    assert_eq!((artifact.unzipped_bytes, artifact.entries), (size as u64, tree.len() as u64));

    // What is built is also accepted when it is given as it is.
    let taken = package(&artifact.path, &bench.options()).unwrap();
    assert_eq!(taken, artifact.clone());
    artifact
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_same_content_gives_the_same_bytes_wherever_and_whenever(
        tree in tree(),
        order in vec(any::<u64>(), 12),
        umask in prop::sample::select(vec![0o000, 0o002, 0o022, 0o027, 0o077]),
        seconds in 1u64..4_000_000_000,
    ) {
        let one = build(&tree, &[], 0o022, 1_700_000_000, Path::new("src"));
        let other = build(&tree, &order, umask, seconds, Path::new("else where/本"));
        prop_assert_eq!(one.sha256, other.sha256);
        prop_assert_eq!(one.zipped_bytes, other.zipped_bytes);
    }

    #[test]
    fn other_content_gives_other_bytes(tree in tree(), pick in any::<prop::sample::Index>()) {
        let one = build(&tree, &[], 0o022, 1, Path::new("src"));
        let name = pick.get(&tree.keys().cloned().collect::<Vec<_>>()).clone();
        let mut longer = tree.clone();
        longer.get_mut(&name).unwrap().content.push(0);
        let mut flipped = tree.clone();
        flipped.get_mut(&name).unwrap().executable ^= true;
        for changed in [longer, flipped] {
            let other = build(&changed, &[], 0o022, 1, Path::new("src"));
            prop_assert_ne!(one.sha256, other.sha256);
        }
    }

    #[test]
    fn no_bytes_make_the_judge_panic(
        mut bytes in vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let bench = Bench::new();
        bench.write("a/app.py", "print(1)\n".repeat(20)).write("b", "");
        let mut zip = fs::read(bench.package().unwrap().path).unwrap();
        for (index, byte) in flips {
            *index.get_mut(&mut zip) = byte;
        }
        let cut = at.index(bytes.len() + 1);
        let tail = bytes.split_off(cut);
        let path = bench.dir.path().join("x.zip");
        for content in [&bytes, &zip, &[bytes.as_slice(), &zip, &tail].concat()] {
            fs::write(&path, content).unwrap();
            if let Ok(artifact) = package(&path, &bench.options()) {
                prop_assert_eq!(artifact.zipped_bytes, content.len() as u64);
                prop_assert_eq!(artifact.entries, 2);
            }
        }
    }
}
