//! `.wavegate`, beside the manifest: artifacts, recordings and the local cloud's state. Useful, and
//! dispensable at any moment.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Its name.
pub(crate) const NAME: &str = ".wavegate";

/// Makes it, if it is not there: for its owner only, and out of version control. One that is there, and
/// open to others because it was unpacked from a cache, say, is closed to them. What cannot be made here
/// fails where it is used, with its own words.
pub(crate) fn prepare(home: &Path) {
    if let Ok(found) = std::fs::metadata(home) {
        let mode = found.permissions().mode();
        if mode & 0o077 != 0 {
            let _ = std::fs::set_permissions(home, std::fs::Permissions::from_mode(mode & 0o700));
        }
        return;
    }
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(home);
    if made.is_ok() {
        let ignore = home.join(".gitignore");
        let _ = std::fs::write(&ignore, "*\n");
        let _ = std::fs::set_permissions(&ignore, std::fs::Permissions::from_mode(0o600));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_its_owners_alone_and_not_for_version_control() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("app").join(NAME);
        prepare(&home);
        assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_to_string(home.join(".gitignore")).unwrap(), "*\n");
        std::fs::write(home.join(".gitignore"), "mine").unwrap();
        prepare(&home);
        assert_eq!(std::fs::read_to_string(home.join(".gitignore")).unwrap(), "mine");
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o777)).unwrap();
        prepare(&home);
        assert_eq!(std::fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
