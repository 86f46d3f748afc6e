//! Writing CBOR as the clients of rpc-v2-cbor read it.
//!
//! It is our own so that doubles are always 64 bits wide: some decoders refuse the 16-bit floats that a
//! smallest-form writer makes.

/// The CBOR tag of a point in time, counted from the epoch (RFC 8949, 3.4.2).
pub(crate) const EPOCH_TAG: u64 = 1;

/// A double.
pub(crate) fn double(number: f64, out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(&number.to_be_bytes());
}

/// A text.
pub(crate) fn text(string: &str, out: &mut Vec<u8>) {
    head(3, string.len() as u64, out);
    out.extend_from_slice(string.as_bytes());
}

/// True or false.
pub(crate) fn boolean(flag: bool, out: &mut Vec<u8>) {
    out.push(if flag { 0xf5 } else { 0xf4 });
}

/// A whole number.
pub(crate) fn integer(number: i64, out: &mut Vec<u8>) {
    if number >= 0 {
        head(0, number.unsigned_abs(), out);
    } else {
        head(1, !number.cast_unsigned(), out);
    }
}

/// A point in time, in seconds since the epoch.
pub(crate) fn time(seconds: f64, out: &mut Vec<u8>) {
    head(6, EPOCH_TAG, out);
    double(seconds, out);
}

/// Nothing.
pub(crate) fn null(out: &mut Vec<u8>) {
    out.push(0xf6);
}

/// The head of a list of so many items, which follow.
pub(crate) fn list(length: usize, out: &mut Vec<u8>) {
    head(4, length as u64, out);
}

/// The head of a map of so many pairs, which follow.
pub(crate) fn map(length: usize, out: &mut Vec<u8>) {
    head(5, length as u64, out);
}

/// The initial byte of an item and its argument, in the shortest form (RFC 8949, 3).
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    #[expect(clippy::cast_possible_truncation, reason = "each arm bounds the argument")]
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 0x18, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 0x19);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 0x1a);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}
