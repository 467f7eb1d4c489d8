//! Metros.

pub(super) mod create;
pub(super) mod delete;
pub(super) mod resume;
pub(super) mod suspend;
pub(super) mod update;

use crate::{
    error::{Result, ensure},
    validation::check_name,
};

/// Millionths of a degree.
const DEGREE: u32 = 1_000_000;

fn check(name: &str, latitude: i32, longitude: i32) -> Result {
    check_name(name)?;
    ensure!(latitude.unsigned_abs() <= 90 * DEGREE && longitude.unsigned_abs() <= 180 * DEGREE, InvalidCoordinates);
    Ok(())
}
