//! The clock of a device.

/// Where a device can write the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// Nowhere.
    Absent,
    /// At both ends of a pass.
    OfPasses,
    /// Between the dispatches of a pass, too.
    OfDispatches,
}
