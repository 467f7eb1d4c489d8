//! Delay by geography: where the world's metros are, how far apart, and how long light in fibre takes. Pure.
//!
//! Light in fibre covers [`FIBRE_FRACTION`] of what it does in vacuum. Fibre does not follow the great circle; by how
//! much it is longer, and what equipment adds at the least, is stated in [`Geography`].

use std::fmt;
use std::time::Duration;

mod metros;

pub use metros::METROS;

/// The speed of light in vacuum, in metres per second.
pub const LIGHT_M_PER_S: f64 = 299_792_458.0;
/// How much of it is left in fibre: the inverse of a refractive index of about 1.5.
pub const FIBRE_FRACTION: f64 = 0.66;
/// The mean radius of the earth in kilometres (IUGG).
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A place on earth in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    latitude: f64,
    longitude: f64,
}

/// Coordinates that are not on earth.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("latitude must be within ±90 and longitude within ±180 degrees, got {latitude}, {longitude}")]
pub struct NotOnEarth {
    /// The latitude given, in degrees.
    pub latitude: f64,
    /// The longitude given, in degrees.
    pub longitude: f64,
}

impl Position {
    /// A place by its latitude (north is positive) and longitude (east is positive).
    ///
    /// # Errors
    /// The coordinates are out of range.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, NotOnEarth> {
        if (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude) {
            Ok(Self { latitude, longitude })
        } else {
            Err(NotOnEarth { latitude, longitude })
        }
    }

    /// Degrees north.
    pub const fn latitude(self) -> f64 {
        self.latitude
    }

    /// Degrees east.
    pub const fn longitude(self) -> f64 {
        self.longitude
    }

    /// Kilometres along the great circle (the haversine formula, which is exact enough also for near places).
    pub fn distance_km(self, other: Self) -> f64 {
        let (lat_a, lat_b) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_lat = (lat_b - lat_a) / 2.0;
        let half_lng = (other.longitude - self.longitude).to_radians() / 2.0;
        let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lng.sin().powi(2);
        2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}, {:.4}", self.latitude, self.longitude)
    }
}

/// A metro of the built-in table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metro {
    /// Three lower-case letters, as operators name it.
    pub code: &'static str,
    /// The city.
    pub name: &'static str,
    /// Its middle.
    pub position: Position,
}

/// The metro of this code, in any case.
pub fn metro(code: &str) -> Option<&'static Metro> {
    METROS.binary_search_by(|metro| metro.code.cmp(code.to_ascii_lowercase().as_str())).ok().map(|at| &METROS[at])
}

/// How distance becomes delay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geography {
    /// How many times longer the fibre is than the great circle.
    pub stretch: f64,
    /// What is added to every path in one direction: the last mile and equipment.
    pub floor: Duration,
}

impl Geography {
    /// The public internet: detours of cables and of routing.
    pub const INTERNET: Self = Self { stretch: 1.5, floor: Duration::from_micros(250) };
    /// A leased wavelength between two metros.
    pub const BACKBONE: Self = Self { stretch: 1.2, floor: Duration::from_micros(50) };

    /// The delay in one direction between two places, in whole microseconds.
    pub fn delay(&self, a: Position, b: Position) -> Duration {
        let seconds = a.distance_km(b) * 1000.0 * self.stretch / (LIGHT_M_PER_S * FIBRE_FRACTION);
        self.floor + Duration::from_micros((seconds * 1e6).round() as u64)
    }
}

impl Default for Geography {
    fn default() -> Self {
        Self::INTERNET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(code: &str) -> Position {
        metro(code).unwrap_or_else(|| panic!("no metro {code}")).position
    }

    /// Great-circle distances of the cities, known to within the size of a city.
    #[test]
    fn known_distances() {
        for (a, b, km) in [
            ("nyc", "lon", 5570.0),
            ("nyc", "lax", 3940.0),
            ("nyc", "pit", 507.0),
            ("lon", "fra", 637.0),
            ("ams", "fra", 364.0),
            ("tyo", "sin", 5312.0),
            ("sin", "syd", 6300.0),
            ("sao", "nyc", 7685.0),
            ("hkg", "tyo", 2886.0),
            ("syd", "lax", 12060.0),
        ] {
            let distance = at(a).distance_km(at(b));
            assert!((distance - km).abs() < 30.0, "{a} to {b}: {distance:.0} km, expected {km:.0}");
            assert_eq!(distance, at(b).distance_km(at(a)));
        }
    }

    #[test]
    fn extremes() {
        let position = |lat, lng| Position::new(lat, lng).unwrap();
        let half = std::f64::consts::PI * EARTH_RADIUS_KM;
        assert_eq!(at("nyc").distance_km(at("nyc")), 0.0);
        assert!((position(90.0, 0.0).distance_km(position(-90.0, 0.0)) - half).abs() < 0.01);
        assert!((position(0.0, 0.0).distance_km(position(0.0, 180.0)) - half).abs() < 0.01);
        // Across the date line it is near.
        assert!((position(0.0, 179.5).distance_km(position(0.0, -179.5)) - 111.2).abs() < 0.1);
        assert_eq!(Position::new(90.1, 0.0), Err(NotOnEarth { latitude: 90.1, longitude: 0.0 }));
        assert!(Position::new(f64::NAN, 0.0).is_err());
    }

    #[test]
    fn delay_is_distance_over_the_speed_of_light_in_fibre_plus_the_floor() {
        let straight = Geography { stretch: 1.0, floor: Duration::ZERO };
        let delay = straight.delay(at("nyc"), at("lon")).as_secs_f64();
        let expected = at("nyc").distance_km(at("lon")) * 1000.0 / (LIGHT_M_PER_S * FIBRE_FRACTION);
        assert!((delay - expected).abs() < 1e-6);
        assert_eq!(Geography::INTERNET.delay(at("nyc"), at("nyc")), Duration::from_micros(250));
        // New York to London and back is about 70 to 85 ms on the public internet.
        let round_trip = 2 * Geography::INTERNET.delay(at("nyc"), at("lon"));
        assert!((Duration::from_millis(70)..Duration::from_millis(90)).contains(&round_trip), "{round_trip:?}");
    }

    #[test]
    fn the_table_is_sorted_unique_and_large() {
        assert!(METROS.len() >= 80);
        assert!(METROS.is_sorted_by(|a, b| a.code < b.code));
        for metro in METROS {
            assert!(metro.code.len() == 3 && metro.code.bytes().all(|byte| byte.is_ascii_lowercase()), "{metro:?}");
            assert_eq!(Position::new(metro.position.latitude, metro.position.longitude), Ok(metro.position));
        }
        assert_eq!(metro("NYC").map(|metro| metro.name), Some("New York"));
        assert_eq!(metro("xxx"), None);
    }
}
