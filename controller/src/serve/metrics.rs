//! Numbers for a monitoring system, in the OpenMetrics text format.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::catalog::Catalog;

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Outcome {
    /// The device got a config.
    Config,
    /// Nothing changed while it waited.
    Unchanged,
    /// The chain has no such device.
    Unknown,
    /// There was nothing to serve.
    Unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FetchLabels {
    outcome: Outcome,
}

/// All metrics of the controller.
pub(super) struct Metrics {
    registry: Registry,
    slot: Gauge,
    devices: Gauge,
    refused: Gauge,
    implausible: Counter,
    changed: Counter,
    fetches: Family<FetchLabels, Counter>,
    reports: Counter,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("dz_controller");
        let metrics = Self {
            slot: Gauge::default(),
            devices: Gauge::default(),
            refused: Gauge::default(),
            implausible: Counter::default(),
            changed: Counter::default(),
            fetches: Family::default(),
            reports: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("slot", "Slot of the rendered view", metrics.slot.clone());
        registry.register("devices", "Devices on chain", metrics.devices.clone());
        registry.register("devices_refused", "Devices whose config cannot be rendered", metrics.refused.clone());
        registry.register("views_implausible", "Views that were refused", metrics.implausible.clone());
        registry.register("configs_changed", "Configs that differ from the one before", metrics.changed.clone());
        registry.register("fetches", "Fetches by devices", metrics.fetches.clone());
        registry.register("reports", "Reports by devices", metrics.reports.clone());
        Self { registry, ..metrics }
    }

    pub(super) fn rendered(&self, catalog: &Catalog, changed: usize) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.slot.set(i64::try_from(catalog.slot).unwrap_or(i64::MAX));
        self.devices.set(number(catalog.devices.len()));
        self.refused.set(number(catalog.devices.values().filter(|entry| entry.error.is_some()).count()));
        self.changed.inc_by(u64::try_from(changed).unwrap_or(u64::MAX));
    }

    pub(super) fn implausible(&self) {
        self.implausible.inc();
    }

    pub(super) fn fetched(&self, outcome: Outcome) {
        self.fetches.get_or_create(&FetchLabels { outcome }).inc();
    }

    pub(super) fn reported(&self) {
        self.reports.inc();
    }

    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
