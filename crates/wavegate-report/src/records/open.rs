//! Opening: what is made, checked and moved aside before a row is read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::schema::{APPLICATION_ID, FORMAT, MIGRATIONS};
use super::{FILE, Records, RecordsError};

/// How long a statement waits for another process: several commits of a slow disk, and less than
/// whoever waits for the end of a recording.
const BUSY: Duration = Duration::from_secs(5);

/// The least that an SQLite file can be: a page.
const PAGE_MIN: u64 = 512;

/// How every SQLite file begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The most files that are moved aside: whoever has so many has another problem.
const ASIDE_MAX: usize = 1000;

/// What SQLite keeps beside a database, by the end of its name.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Device and inode: whether a path still names the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|data| Self(data.dev(), data.ino()))
    }
}

impl Records {
    /// Opens the records in `dir` to read and write, and makes what is not there: the directory,
    /// the file, and of what earlier versions left there the present format.
    ///
    /// # Errors
    /// Whatever is wrong with it: see [`RecordsError`]. Nothing that was there is changed then.
    pub fn open(dir: &Path) -> Result<Self, RecordsError> {
        make_dir(dir).map_err(|source| RecordsError::io("make", dir, source))?;
        let path = dir.join(FILE);
        make_file(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|source| RecordsError::sqlite("open", &path, source))?;
        let identity = Identity::of(&path).ok();
        let mut records = Self { connection, path, identity };
        records.prepare(dir)?;
        records.check()?;
        Ok(records)
    }

    /// As [`Records::open`], for a new release that needs a place: a damaged file is moved aside,
    /// whole, and its new path is told.
    ///
    /// # Errors
    /// As [`Records::open`], damage excepted.
    pub fn open_or_begin_anew(dir: &Path) -> Result<(Self, Option<PathBuf>), RecordsError> {
        match Self::open(dir) {
            Err(RecordsError::Damaged { .. }) => {}
            opened => return opened.map(|records| (records, None)),
        }
        // Of two processes that find it damaged, the second must not move away what the first made.
        let lock = File::open(dir).and_then(|dir| dir.lock().map(|()| dir));
        let _lock = lock.map_err(|source| RecordsError::io("lock", dir, source))?;
        match Self::open(dir) {
            Err(RecordsError::Damaged { path, .. }) => {
                let aside = move_aside(&path)
                    .map_err(|source| RecordsError::io("move aside", &path, source))?;
                Self::open(dir).map(|records| (records, Some(aside)))
            }
            opened => opened.map(|records| (records, None)),
        }
    }

    /// Opens the records in `dir` for somebody who only looks. `None`: nothing was recorded there.
    /// Where nothing can be written, what is there is read all the same.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn look(dir: &Path) -> Result<Option<Self>, RecordsError> {
        let path = dir.join(FILE);
        let is_there = path.symlink_metadata().is_ok();
        if !is_there && !super::import::are_any(dir) {
            return Ok(None);
        }
        match Self::open(dir) {
            Err(refused @ RecordsError::Refused { .. }) => {
                let seen = if is_there { Self::immutable(&path) } else { Self::in_memory(dir) };
                // The first refusal says what a person can mend.
                seen.map(Some).map_err(|error| match error {
                    RecordsError::Refused { .. } => refused,
                    other => other,
                })
            }
            opened => opened.map(Some),
        }
    }

    /// The file as it is, for a directory that cannot be written: without a log beside it, it is
    /// whole.
    fn immutable(path: &Path) -> Result<Self, RecordsError> {
        let failed = |source| RecordsError::sqlite("read", path, source);
        let log = beside(path, "-wal");
        if fs::metadata(&log).is_ok_and(|data| data.len() > 0) {
            let source = io::Error::other("its log can only be read where it can be written");
            return Err(RecordsError::io("read", &log, source));
        }
        is_a_database(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection =
            Connection::open_with_flags(address(path), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .map_err(failed)?;
        let records = Self { connection, path: path.to_owned(), identity: None };
        match records.format()? {
            0 => {
                let why = "it has no tables".to_owned();
                return Err(RecordsError::Damaged { path: records.path, why });
            }
            _ => records.check()?,
        }
        Ok(records)
    }

    /// What earlier versions left, without a file of ours.
    fn in_memory(dir: &Path) -> Result<Self, RecordsError> {
        let path = dir.join(FILE);
        let connection = Connection::open_in_memory()
            .map_err(|source| RecordsError::sqlite("read", &path, source))?;
        let mut records = Self { connection, path, identity: None };
        records.migrate(dir)?;
        Ok(records)
    }

    fn prepare(&mut self, dir: &Path) -> Result<(), RecordsError> {
        let failed = |path: &Path, source| RecordsError::sqlite("open", path, source);
        self.connection.busy_timeout(BUSY).map_err(|source| failed(&self.path, source))?;
        if self.format()? < FORMAT {
            self.migrate(dir)?;
        }
        let mode = |wanted: &str| {
            let sql = format!("pragma journal_mode{wanted}");
            self.connection.query_row(&sql, [], |row| row.get::<_, String>(0))
        };
        // The first who comes sets it, and it stays with the file.
        if mode("").map_err(|source| failed(&self.path, source))? != "wal"
            && let Err(source) = mode(" = wal")
        {
            let error = failed(&self.path, source);
            if !matches!(error, RecordsError::Locked { .. }) {
                return Err(error);
            }
        }
        // After a power cut the last moments may be missing; the file is whole.
        self.connection
            .pragma_update(None, "synchronous", "normal")
            .map_err(|source| failed(&self.path, source))
    }

    /// The file's format; 0 for one that is empty.
    fn format(&self) -> Result<i64, RecordsError> {
        let number = |sql| self.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let read =
            |sql| number(sql).map_err(|source| RecordsError::sqlite("read", &self.path, source));
        let tables = read("select count(*) from sqlite_schema")?;
        match (read("pragma application_id")?, read("pragma user_version")?) {
            (0, 0) if tables == 0 => Ok(0),
            (APPLICATION_ID, found) if found > FORMAT => {
                Err(RecordsError::Newer { path: self.path.clone(), found, known: FORMAT })
            }
            (APPLICATION_ID, found @ 1..) => Ok(found),
            (id, _) => Err(RecordsError::Foreign {
                path: self.path.clone(),
                what: format!("an SQLite database with application id {id}"),
            }),
        }
    }

    /// One step after the other, all in one transaction.
    fn migrate(&mut self, dir: &Path) -> Result<(), RecordsError> {
        let path = self.path.clone();
        let failed = |source| RecordsError::sqlite("write", &path, source);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        // Somebody may have been faster, before the transaction began.
        let from: i64 =
            transaction.query_row("pragma user_version", [], |row| row.get(0)).map_err(failed)?;
        let done = usize::try_from(from).unwrap_or(MIGRATIONS.len());
        for migration in MIGRATIONS.iter().skip(done) {
            migration(&transaction, dir).map_err(failed)?;
        }
        transaction
            .execute_batch(&format!(
                "pragma application_id = {APPLICATION_ID}; pragma user_version = {FORMAT};"
            ))
            .and_then(|()| transaction.commit())
            .map_err(failed)
    }

    /// Whether everything is as it was written.
    fn check(&self) -> Result<(), RecordsError> {
        let word: String = self
            .connection
            .query_row("pragma integrity_check(1)", [], |row| row.get(0))
            .map_err(|source| RecordsError::sqlite("read", &self.path, source))?;
        if word != "ok" {
            // SQLite's report has several lines: the first ones tell what kind of damage it is.
            let why = crate::safe_line(&word).into_owned();
            return Err(RecordsError::Damaged { path: self.path.clone(), why });
        }
        self.check_sums()
    }

    /// Whether the file is still the one that was opened.
    pub(super) fn is_there(&self) -> Result<(), RecordsError> {
        let now = Identity::of(&self.path).ok();
        if self.identity.is_some() && now != self.identity {
            return Err(RecordsError::Gone { path: self.path.clone() });
        }
        Ok(())
    }
}

/// Makes the directory, for its owner only, whatever the umask says. One that is there is closed to
/// others.
fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        close_to_others(dir);
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Takes the rights of others away. Who may not do that has no file of its own to protect.
fn close_to_others(path: &Path) {
    let Ok(mode) = fs::metadata(path).map(|data| data.permissions().mode()) else { return };
    if mode & 0o077 != 0 {
        let _ = fs::set_permissions(path, Permissions::from_mode(mode & 0o700));
    }
}

/// Makes an empty file, for its owner only. What SQLite puts beside it has the same rights.
fn make_file(path: &Path) -> Result<(), RecordsError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(file) => file
            .set_permissions(Permissions::from_mode(0o600))
            .map_err(|source| RecordsError::io("make", path, source)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            is_a_database(path)?;
            close_to_others(path);
            Ok(())
        }
        Err(source) => Err(RecordsError::io("make", path, source)),
    }
}

/// Looks at the file's first bytes. SQLite itself takes one that is cut within its header for one
/// that is empty, and would write into it.
fn is_a_database(path: &Path) -> Result<(), RecordsError> {
    let failed = |source| RecordsError::io("read", path, source);
    let data = fs::symlink_metadata(path).map_err(failed)?;
    if !data.is_file() {
        let what = if data.is_dir() { "a directory" } else { "not a plain file" };
        return Err(RecordsError::Foreign { path: path.to_owned(), what: what.to_owned() });
    }
    if data.len() == 0 {
        return Ok(());
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut head).map_err(failed)?;
    let why = if head != MAGIC {
        "it does not begin as a database does"
    } else if data.len() < PAGE_MIN {
        "it breaks off within its header"
    } else {
        return Ok(());
    };
    Err(RecordsError::Damaged { path: path.to_owned(), why: why.to_owned() })
}

/// Gives a damaged file and what belongs to it the next free name.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = (1..=ASIDE_MAX)
        .map(|n| beside(path, &format!(".damaged-{n}")))
        .find(|aside| fs::symlink_metadata(aside).is_err())
        .ok_or_else(|| io::Error::other("there are too many damaged ones already"))?;
    fs::rename(path, &aside)?;
    for end in BESIDE {
        match fs::rename(beside(path, end), beside(&aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

/// The path with something at its end.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The file as a URI that SQLite takes for unchanging.
fn address(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut text = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text.push_str("?immutable=1");
    text
}
