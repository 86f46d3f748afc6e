//! Mach-O and PE: what other systems load. Each is read by its tables of symbols.

use object::read::macho::{MachHeader, MachOFile};
use object::read::pe::{ImageNtHeaders, PeFile};
use object::{Architecture, Endianness, Object, ObjectKind, ObjectSymbol};

use super::{
    Contents, Entry, Format, Library, NEEDS_MAX, Platform, READ_MAX, ReadRef, Unsound, lossy,
};

pub(super) fn macho<'data, H, R>(data: R) -> Result<Library, Unsound>
where
    H: MachHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let file = MachOFile::<H, R>::parse(data)?;
    library(&file, Format::MachO, |entries| {
        // The symbol table, and not the trie of exports: paths through a trie can be made to
        // double at every node.
        for symbol in file.symbols().filter(|symbol| symbol.is_global() && symbol.is_definition()) {
            let name = symbol.name_bytes()?;
            entries(name.strip_prefix(b"_").unwrap_or(name));
        }
        Ok(())
    })
}

pub(super) fn pe<'data, H, R>(data: R) -> Result<Library, Unsound>
where
    H: ImageNtHeaders,
    R: ReadRef<'data>,
{
    let file = PeFile::<H, R>::parse(data)?;
    library(&file, Format::Pe, |entries| {
        let Some(table) = file.export_table()? else { return Ok(()) };
        // All names may point to one long text.
        let mut left = READ_MAX;
        for (pointer, _) in table.name_iter() {
            let name = table.name_from_pointer(pointer)?;
            left = left
                .checked_sub(name.len() as u64)
                .ok_or_else(|| Unsound::is("damaged: the names of its exports overlap"))?;
            entries(name);
        }
        Ok(())
    })
}

/// The library, with the entry points among the names that `exports` hands over.
fn library<'data, O: Object<'data>>(
    file: &O,
    format: Format,
    exports: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), Unsound>,
) -> Result<Library, Unsound> {
    match file.kind() {
        ObjectKind::Dynamic => {}
        ObjectKind::Executable => return Err(Unsound::is("an executable")),
        _ => return Err(Unsound(format!("it is a {format} file of another kind"))),
    }
    let platform = Platform {
        format,
        architecture: architecture(file.architecture()),
        big_endian: !file.is_little_endian(),
    };
    let contents = || {
        let mut contents = Contents::default();
        exports(&mut |name| contents.entries.extend(Entry::named(name)))?;
        for library in file.import_libraries()?.take(NEEDS_MAX) {
            contents.needs.push(lossy(library?.name()));
        }
        Ok(contents)
    };
    Ok(Library { platform, contents: contents() })
}

/// The architecture in the words of the standard library.
fn architecture(architecture: Architecture) -> String {
    match architecture {
        Architecture::X86_64 => "x86_64".to_owned(),
        Architecture::I386 => "x86".to_owned(),
        Architecture::Aarch64 => "aarch64".to_owned(),
        Architecture::Arm => "arm".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}
