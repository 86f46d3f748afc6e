//! Ids in the form of AWS's that follow from what they identify, so that a replay gives the same.

/// An id made from these parts.
pub(crate) fn of(parts: &[&[u8]]) -> String {
    let mut seed = 0_u64;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        seed = mix(seed ^ u64::from(*byte));
    }
    let (high, low) = (seed, mix(seed));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// `SplitMix64`: spreads a number over all digits.
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}
