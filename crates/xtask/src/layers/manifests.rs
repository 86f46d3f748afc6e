//! What manifests must say: one place for versions and lints, and a reason for every dependency.

use toml_edit::{DocumentMut, Item, TableLike};

use super::Violation;

/// A member takes its lints and its versions from the workspace.
pub(super) fn member(label: &str, manifest: &DocumentMut) -> Vec<Violation> {
    let mut violations = Vec::new();
    let inherits = |item: Option<&Item>| item.and_then(Item::as_bool).unwrap_or(false);
    if !inherits(manifest.get("lints").and_then(|lints| lints.get("workspace"))) {
        let fix = "add `[lints]` with `workspace = true`";
        violations.push(Violation::new(label, "it does not take the workspace's lints", fix));
    }
    let mut tables: Vec<&Item> = vec![manifest.as_item()];
    if let Some(targets) = manifest.get("target").and_then(Item::as_table_like) {
        tables.extend(targets.iter().map(|(_, target)| target));
    }
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(kind).and_then(Item::as_table_like) else {
                continue;
            };
            for (name, dependency) in dependencies.iter() {
                if !inherits(dependency.get("workspace")) {
                    let what = format!("{kind}.{name} does not come from the workspace");
                    let fix = format!(
                        "list it under [workspace.dependencies] of the root manifest and write \
                         `{name} = {{ workspace = true }}`"
                    );
                    violations.push(Violation::new(label, what, fix));
                }
            }
        }
    }
    violations
}

/// Every dependency of the root manifest says in its line what it is for. The house's own crates
/// say it in their descriptions.
pub(super) fn root(manifest: &DocumentMut) -> Vec<Violation> {
    let dependencies = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(Item::as_table_like);
    let Some(dependencies) = dependencies else {
        let fix = "list every dependency there, with its version and its reason";
        return vec![Violation::new("Cargo.toml", "it has no [workspace.dependencies]", fix)];
    };
    unreasoned(dependencies)
        .map(|name| {
            let what = format!("dependency {name} has no reason");
            Violation::new("Cargo.toml", what, "say at the end of its line what it is for: `# ...`")
        })
        .collect()
}

fn unreasoned(dependencies: &dyn TableLike) -> impl Iterator<Item = &str> {
    dependencies.iter().filter_map(|(name, item)| {
        let suffix = item.as_value()?.decor().suffix().and_then(|suffix| suffix.as_str());
        let comment = suffix.unwrap_or_default().trim().trim_start_matches('#').trim();
        let is_ours = item.get("path").is_some();
        (comment.is_empty() && !is_ours).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DocumentMut {
        text.parse().unwrap()
    }

    fn whats(violations: &[Violation]) -> Vec<&str> {
        violations.iter().map(|violation| violation.what.as_str()).collect()
    }

    #[test]
    fn a_member_inherits_lints_and_versions() {
        let fine = "[lints]\nworkspace = true\n[dependencies]\na = { workspace = true }\n\
                    [dev-dependencies.b]\nworkspace = true\n";
        assert_eq!(member("x", &parse(fine)), []);
        let bad = "[dependencies]\na = \"1\"\n[target.'cfg(unix)'.dev-dependencies]\n\
                   b = { version = \"1\" }\n";
        assert_eq!(
            whats(&member("x", &parse(bad))),
            [
                "it does not take the workspace's lints",
                "dependencies.a does not come from the workspace",
                "dev-dependencies.b does not come from the workspace",
            ]
        );
    }

    #[test]
    fn a_dependency_says_what_it_is_for() {
        let text = "[workspace.dependencies]\n# A group.\na = \"1\" # does a\nb = { version = \"1\" }\n\
                    c = { path = \"crates/c\" }\nd = \"1\" #\n";
        assert_eq!(
            whats(&root(&parse(text))),
            ["dependency b has no reason", "dependency d has no reason"]
        );
        assert_eq!(whats(&root(&parse(""))), ["it has no [workspace.dependencies]"]);
    }
}
