//! How much memory a training takes on the host, where the adapter's memory is the host's too.

use std::fs;
use std::io::{BufRead, BufReader};

use super::data::write_noise;
use super::spinal::Place;

/// Images of the large data set: 118 MB, within the 128 MiB that every adapter binds.
const MANY: u32 = 150_000;

/// Bytes of memory that a training holds once everything is on the device.
fn resident_bytes(place: &Place, folder: &str) -> u64 {
    let mut child = place.start(&["train", "mlp", "--net", "spinal", "--data", folder]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = lines.any(|line| line.unwrap().starts_with("device memory"));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ready, "the training never started");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|text| text.trim().strip_suffix(" kB"));
    1024 * kilobytes.unwrap().parse::<u64>().unwrap()
}

/// On a CPU adapter the device's copy counts, so that a second one would show as twice the data.
#[test]
fn the_host_holds_no_second_copy_of_the_data() {
    let place = Place::new();
    let info = place.run(&["info", "--json"]).json();
    if info["adapters"][0]["device_type"] != "CPU" {
        return;
    }
    write_noise(&place, "few", 100);
    write_noise(&place, "many", MANY);
    let data = 784 * u64::from(MANY);
    let more = resident_bytes(&place, "many").saturating_sub(resident_bytes(&place, "few"));
    assert!(more < data * 3 / 2, "{more} bytes for {data} of data");
}
