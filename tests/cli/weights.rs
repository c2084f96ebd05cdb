//! Published weights: what there is, and getting them.

use super::spinal::Place;
use crate::server::{Reply, Server};

#[test]
fn the_published_weights_are_listed() {
    let place = Place::new();
    place.write("cache/weights/resnet18/resnet18-f37072fd.pth", "");
    let rows = place
        .run(&["weights", "list", "--cache", "cache", "--json"])
        .succeeded()
        .json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 24);
    let named = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    let resnet18 = named("resnet18");
    assert_eq!(resnet18["architecture"], "resnet18");
    assert_eq!(resnet18["parameters"], 11_689_512);
    assert_eq!(resnet18["approximate_megabytes"], 47.0);
    assert_eq!(resnet18["fetched"], true);
    let url = "https://download.pytorch.org/models/resnet18-f37072fd.pth";
    assert_eq!(resnet18["url"], url);
    assert_eq!(named("resnet50-v2")["architecture"], "resnet50");
    assert_eq!(named("efficientnet_lite0")["fetched"], false);

    let outcome = place.run(&["weights", "list", "--cache", "cache"]);
    let text = outcome.succeeded().stdout;
    assert_eq!(text.lines().count(), 26);
    let row = text.lines().find(|line| line.starts_with("resnet18 "));
    let words: Vec<&str> = row.unwrap().split_whitespace().collect();
    let expected = [
        "resnet18",
        "resnet18",
        "11,689,512",
        "47",
        "torchvision,",
        "BSD-3-Clause",
        "yes",
    ];
    assert_eq!(words, expected);
}

#[test]
fn weights_that_are_here_are_not_fetched_again() {
    let place = Place::new();
    place.write("cache/weights/vgg11/vgg11-8a719046.pth", "");
    let outcome = place.run(&["weights", "fetch", "vgg11", "--cache", "cache", "--offline"]);
    let path = "cache/weights/vgg11/vgg11-8a719046.pth\n";
    assert_eq!(outcome.succeeded().stdout, path);
    place
        .run(&["weights", "fetch", "vgg13", "--cache", "cache", "--offline"])
        .refused(
            1,
            "weights/vgg13 is not here, and --offline forbids to fetch it",
        );
}

#[test]
fn unknown_names_are_refused_before_anything_is_fetched() {
    let place = Place::new();
    place
        .run(&[
            "weights", "fetch", "resnet18", "resnet19", "--cache", "cache",
        ])
        .refused(2, "no published weights are named 'resnet19'");
    place.run(&["weights", "fetch"]).misused("<NAME>...");
}

#[test]
fn a_file_that_is_not_the_published_one_is_not_kept() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::Contents(b"something else".to_vec()));
    let mirror = server.url();
    let arguments = [
        "weights", "fetch", "resnet18", "--cache", "cache", "--mirror", &mirror,
    ];
    place
        .run(&arguments)
        .failed(1, "expected f37072fd..; it is not kept");
    let path = "/weights/resnet18/resnet18-f37072fd.pth";
    assert_eq!(server.requests()[0].path, path);
    assert!(!place.path("cache/weights/resnet18").exists());
    assert!(place.names("cache/weights/resnet18.part").is_empty());
}
