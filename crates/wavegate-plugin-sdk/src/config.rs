//! Values that component configs share, so that they are written the same way everywhere.

mod duration;
mod missing;
mod percent;
mod reading;

pub use duration::{HumanDuration, InvalidDuration};
pub use missing::MissingData;
pub use percent::{InvalidPercent, Percent};
pub(crate) use reading::{diagnose, parse};
