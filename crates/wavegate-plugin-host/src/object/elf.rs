//! ELF by its program headers, as the system loader reads it: the dynamic segment, the symbols
//! that its hash table leads to, and the versions it asks of other libraries.

use object::elf::{
    DF_1_PIE, DT_FLAGS_1, DT_GNU_HASH, DT_HASH, DT_NEEDED, DT_STRSZ, DT_STRTAB, DT_SYMTAB,
    DT_VERNEED, DT_VERNEEDNUM, DynamicTag, EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_PPC,
    EM_PPC64, EM_RISCV, EM_S390, EM_X86_64, ET_CORE, ET_DYN, ET_EXEC, ET_REL, GnuHashHeader,
    HashHeader, PT_DYNAMIC, PT_INTERP, PT_LOAD, STB_GLOBAL, STB_GNU_UNIQUE, STB_WEAK, STT_FUNC,
    STT_GNU_IFUNC, STT_NOTYPE, STV_DEFAULT, STV_PROTECTED, Vernaux, Verneed,
};
use object::read::elf::{Dyn, Sym};
use object::{U32, pod::Pod};

use super::{
    Contents, Endianness, Entry, FileHeader, Format, Glibc, Library, NEEDS_MAX, Platform,
    ProgramHeader, ReadRef, Unsound, lossy,
};

/// The most versions that a library may ask of others. The lists are linked by offsets that a
/// hostile file chooses.
const VERSIONS_MAX: usize = 4_096;

/// The longest name that is looked at, in bytes; nothing longer is one of ours. A million symbols
/// may share one endless name.
const NAME_MAX: usize = 1_024;

pub(super) fn read<'data, H, R>(data: R) -> Result<Library, Unsound>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let image = Image::<H, R> { data, endian, segments: header.program_headers(endian, data)? };
    match header.e_type(endian) {
        ET_DYN => image.is_no_program()?,
        ET_EXEC => return Err(Unsound::is("an executable")),
        ET_REL => return Err(Unsound::is("an object file that was never linked")),
        ET_CORE => return Err(Unsound::is("a core dump")),
        _ => return Err(Unsound::is("an ELF file of an unknown type")),
    }
    let platform = Platform {
        format: Format::Elf,
        architecture: architecture(header, endian),
        big_endian: endian == Endianness::Big,
    };
    Ok(Library { platform, contents: image.contents() })
}

/// The architecture in the words of the standard library; numbers for those it does not know.
fn architecture<H: FileHeader<Endian = Endianness>>(header: &H, endian: Endianness) -> String {
    let machine = header.e_machine(endian);
    let name = match (machine, header.is_class_64()) {
        (EM_X86_64, true) => "x86_64",
        (EM_X86_64, false) => "x32",
        (EM_386, false) => "x86",
        (EM_AARCH64, true) => "aarch64",
        (EM_ARM, false) => "arm",
        (EM_RISCV, true) => "riscv64",
        (EM_RISCV, false) => "riscv32",
        (EM_PPC64, true) => "powerpc64",
        (EM_PPC, false) => "powerpc",
        (EM_S390, true) => "s390x",
        (EM_LOONGARCH, true) => "loongarch64",
        (_, wide) => {
            return format!("machine {} with {} bits", machine.0, if wide { 64 } else { 32 });
        }
    };
    name.to_owned()
}

/// The loadable part of a file.
struct Image<'data, H: FileHeader, R> {
    data: R,
    endian: Endianness,
    segments: &'data [H::ProgramHeader],
}

impl<'data, H, R> Image<'data, H, R>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    /// Programs are shared objects too since they may be loaded anywhere; system loaders refuse
    /// them as libraries.
    fn is_no_program(&self) -> Result<(), Unsound> {
        let interpreted =
            self.segments.iter().any(|segment| segment.p_type(self.endian) == PT_INTERP);
        let flags = self.dynamic()?.value(DT_FLAGS_1).unwrap_or(0);
        if interpreted || flags & DF_1_PIE.0 != 0 {
            return Err(Unsound::is("an executable"));
        }
        Ok(())
    }

    fn contents(&self) -> Result<Contents, Unsound> {
        let dynamic = self.dynamic()?;
        let strings = self.strings(&dynamic)?;
        let mut contents = Contents {
            needs: dynamic
                .values(DT_NEEDED)
                .take(NEEDS_MAX)
                .map(|offset| Ok(lossy(string(strings, offset)?)))
                .collect::<Result<_, Unsound>>()?,
            glibc: self.glibc(&dynamic, strings)?,
            ..Contents::default()
        };
        for symbol in self.symbols(&dynamic)?.iter().filter(|symbol| self.is_export(*symbol)) {
            let name = string(strings, symbol.st_name(self.endian).into())?;
            contents.entries.extend(Entry::named(name));
        }
        Ok(contents)
    }

    fn dynamic(&self) -> Result<Dynamic, Unsound> {
        let segment =
            self.segments.iter().find(|segment| segment.p_type(self.endian) == PT_DYNAMIC);
        let entries = match segment {
            Some(segment) => segment.dynamic(self.endian, self.data)?.unwrap_or_default(),
            None => return Err(Unsound::is("an ELF file without a dynamic segment")),
        };
        let pairs = entries.iter().map(|entry| (entry.tag(self.endian), entry.val(self.endian)));
        Ok(Dynamic(pairs.take_while(|(tag, _)| *tag != object::elf::DT_NULL).collect()))
    }

    fn strings(&self, dynamic: &Dynamic) -> Result<&'data [u8], Unsound> {
        let (Some(address), Some(size)) = (dynamic.value(DT_STRTAB), dynamic.value(DT_STRSZ))
        else {
            return Ok(&[]);
        };
        let offset = self.offset(address)?;
        self.data.read_bytes_at(offset, size).map_err(|()| damaged("string table"))
    }

    /// The symbols that a look-up by name can find: those that the hash table leads to.
    fn symbols(&self, dynamic: &Dynamic) -> Result<&'data [H::Sym], Unsound> {
        let Some(table) = dynamic.value(DT_SYMTAB) else { return Ok(&[]) };
        let range = if let Some(address) = dynamic.value(DT_GNU_HASH) {
            self.hashed_by_gnu(self.offset(address)?)?
        } else if let Some(address) = dynamic.value(DT_HASH) {
            let header: &HashHeader<Endianness> = self.at(self.offset(address)?, "hash table")?;
            0..header.chain_count.get(self.endian)
        } else {
            return Ok(&[]);
        };
        let start = u64::from(range.start) * size_of::<H::Sym>() as u64;
        let offset = self.offset(table)?.checked_add(start);
        offset
            .and_then(|offset| self.data.read_slice_at(offset, range.len()).ok())
            .ok_or_else(|| damaged("symbol table"))
    }

    /// The range of symbols in a GNU hash table. Its size is written nowhere: the last chain ends
    /// it.
    fn hashed_by_gnu(&self, offset: u64) -> Result<std::ops::Range<u32>, Unsound> {
        let broken = || damaged("hash table");
        let header: &GnuHashHeader<Endianness> = self.at(offset, "hash table")?;
        let first = header.symbol_base.get(self.endian);
        let bloom = u64::from(header.bloom_count.get(self.endian)) * size_of::<H::Word>() as u64;
        let count = header.bucket_count.get(self.endian);
        let start = offset + size_of::<GnuHashHeader<Endianness>>() as u64 + bloom;
        let buckets: &[U32<Endianness>] =
            self.data.read_slice_at(start, count as usize).map_err(|()| broken())?;
        let last = buckets.iter().map(|bucket| bucket.get(self.endian)).max().unwrap_or(0);
        // Zero stands for an empty bucket.
        if last == 0 {
            return Ok(first..first);
        }
        let values = start + u64::from(count) * 4;
        let mut index = last;
        loop {
            let place = u64::from(index.checked_sub(first).ok_or_else(broken)?) * 4;
            let value: &U32<Endianness> = self.at(values + place, "hash table")?;
            index = index.checked_add(1).ok_or_else(broken)?;
            // The lowest bit marks the end of a chain.
            if value.get(self.endian) & 1 == 1 {
                return Ok(first..index);
            }
        }
    }

    /// A function that other libraries can see.
    fn is_export(&self, symbol: &H::Sym) -> bool {
        !symbol.is_undefined(self.endian)
            && matches!(symbol.st_bind(), STB_GLOBAL | STB_WEAK | STB_GNU_UNIQUE)
            && matches!(symbol.st_type(), STT_FUNC | STT_GNU_IFUNC | STT_NOTYPE)
            && matches!(symbol.st_visibility(), STV_DEFAULT | STV_PROTECTED)
    }

    /// The highest version of the GNU C library that is asked for.
    fn glibc(&self, dynamic: &Dynamic, strings: &[u8]) -> Result<Option<Glibc>, Unsound> {
        let (Some(address), Some(count)) =
            (dynamic.value(DT_VERNEED), dynamic.value(DT_VERNEEDNUM))
        else {
            return Ok(None);
        };
        let mut needed = self.offset(address)?;
        let mut versions = Vec::new();
        for _ in 0..count.min(VERSIONS_MAX as u64) {
            let library: &Verneed<Endianness> = self.at(needed, "version table")?;
            let mut one = needed + u64::from(library.vn_aux.get(self.endian));
            for _ in 0..library.vn_cnt.get(self.endian) {
                let version: &Vernaux<Endianness> = self.at(one, "version table")?;
                versions.push(string(strings, version.vna_name.get(self.endian).into())?);
                if versions.len() > VERSIONS_MAX {
                    return Err(damaged("version table"));
                }
                one += u64::from(version.vna_next.get(self.endian));
            }
            match library.vn_next.get(self.endian) {
                0 => break,
                next => needed += u64::from(next),
            }
        }
        Ok(versions.into_iter().filter_map(Glibc::named).max())
    }

    /// Where in the file an address of the loaded library is.
    fn offset(&self, address: u64) -> Result<u64, Unsound> {
        let place = self.segments.iter().find_map(|segment| {
            let start: u64 = segment.p_vaddr(self.endian).into();
            let size: u64 = segment.p_filesz(self.endian).into();
            let inside = address.checked_sub(start).filter(|inside| *inside < size)?;
            let offset: u64 = segment.p_offset(self.endian).into();
            (segment.p_type(self.endian) == PT_LOAD).then(|| offset.checked_add(inside))?
        });
        place.ok_or_else(|| damaged("dynamic segment"))
    }

    fn at<T: Pod>(&self, offset: u64, what: &str) -> Result<&'data T, Unsound> {
        self.data.read_at(offset).map_err(|()| damaged(what))
    }
}

/// The pairs of a dynamic segment, up to its end mark.
struct Dynamic(Vec<(DynamicTag, u64)>);

impl Dynamic {
    /// Of a tag that is there twice, the system loader takes the last.
    fn value(&self, tag: DynamicTag) -> Option<u64> {
        self.values(tag).last()
    }

    fn values(&self, tag: DynamicTag) -> impl Iterator<Item = u64> {
        self.0.iter().filter(move |(found, _)| *found == tag).map(|(_, value)| *value)
    }
}

/// The string that starts at an offset of a string table; longer ones are cut.
fn string(strings: &[u8], offset: u64) -> Result<&[u8], Unsound> {
    let rest = usize::try_from(offset).ok().and_then(|offset| strings.get(offset..));
    let rest = rest.ok_or_else(|| damaged("string table"))?;
    let rest = &rest[..rest.len().min(NAME_MAX)];
    Ok(rest.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn damaged(what: &str) -> Unsound {
    Unsound(format!("it is damaged: the {what} leads out of the file"))
}
