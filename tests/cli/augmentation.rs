//! Augmentation from the command line: the sheet that shows it, and trainings with it.

use image::RgbImage;

use super::data::{digits, write_digits};
use super::spinal::Place;

/// A sheet of digits that lies as `sheet.png` in `place` and has three rows of the original and two versions.
fn sheet(place: &Place, flags: &[&str]) -> RgbImage {
    let mut arguments = vec!["data", "show", "digits", "--count", "3", "--versions", "2"];
    arguments.extend(["--out", "sheet.png"]);
    arguments.extend(flags);
    place.run_on_adapter(&arguments).succeeded();
    image::open(place.path("sheet.png")).unwrap().into_rgb8()
}

/// The pixels of one picture of a sheet: the title takes 20 pixels, a label of two letters 28, a picture 84 and a gap of 6.
fn picture(sheet: &RgbImage, row: u32, column: u32) -> Vec<u8> {
    let (left, top) = (28 + 90 * column, 20 + 90 * row);
    let pixels = (0..28 * 28).map(|pixel| (left + 3 * (pixel % 28), top + 3 * (pixel / 28)));
    pixels.map(|(x, y)| sheet.get_pixel(x, y).0[0]).collect()
}

#[test]
fn a_sheet_shows_images_beside_their_versions() {
    let place = Place::new();
    write_digits(&place, "digits", 4, 1);
    let drawn = sheet(&place, &["--augment", "perspective-rotation"]);
    let column = |sheet: &RgbImage, column: u32| -> Vec<u8> {
        (0..3).flat_map(|row| picture(sheet, row, column)).collect()
    };
    assert_eq!(column(&drawn, 0), digits().pixels.in_memory()[..3 * 784]);
    assert_ne!(column(&drawn, 1), column(&drawn, 0));
    assert_ne!(column(&drawn, 1), column(&drawn, 2));
    let again = sheet(&place, &["--augment", "perspective-rotation"]);
    assert_eq!(again, drawn);
    let other = sheet(
        &place,
        &["--augment", "perspective-rotation", "--seed", "2"],
    );
    assert_ne!(column(&other, 1), column(&drawn, 1));

    let plain = sheet(&place, &["--augment", "none"]);
    assert_eq!(column(&plain, 2), column(&drawn, 0));
    let small = sheet(&place, &["--augment", "crop-flip", "--resize", "14"]);
    // Each of the 14 x 14 pixels is 6 x 6 on the sheet.
    assert_eq!(small.height(), plain.height());
    assert_ne!(column(&small, 0), column(&plain, 0));
}

#[test]
fn a_sheet_that_cannot_be_is_refused() {
    let place = Place::new();
    write_digits(&place, "digits", 4, 1);
    place
        .run(&["data", "show", "nosuch", "--out", "x.png"])
        .refused(2, "nosuch");
    place
        .run(&[
            "data",
            "show",
            "digits",
            "--augment",
            "nosuch",
            "--out",
            "x.png",
        ])
        .misused("crop-flip");
    place.run(&["data", "show", "digits"]).misused("--out");
    let outcome = place.run_on_adapter(&["data", "show", "digits", "--out", "missing/x.png"]);
    outcome.refused(1, "missing/x.png");
}

#[test]
fn a_training_is_augmented_and_its_evaluation_is_not() {
    let place = Place::new();
    write_digits(&place, "digits", 40, 20);
    let train = |out: &str, flags: &[&str]| {
        let mut arguments = vec!["train", "mlp", "--net", "spinal", "--data", "digits"];
        arguments.extend(["--epochs", "1", "--no-dropout", "--out", out]);
        arguments.extend(flags);
        place.run_on_adapter(&arguments).succeeded();
        place.metrics(out)
    };
    let loss = |metrics: &[serde_json::Value]| {
        let losses = metrics.iter().filter_map(|line| line["loss"].as_f64());
        losses.collect::<Vec<_>>()
    };
    let plain = train("plain", &["--no-augment"]);
    let augmented = train("augmented", &["--augment", "crop-flip"]);
    assert_ne!(loss(&plain), loss(&augmented));
    assert!(
        place
            .read("augmented/config.toml")
            .contains("augment = \"crop-flip\"")
    );
    assert!(
        place
            .read("plain/config.toml")
            .contains("augment = \"none\"")
    );

    // With a learning rate of 0 the weights stay, and so must the score on test images.
    let frozen = [
        ["--lr", "0", "--augment", "crop-flip"],
        ["--lr", "0", "--augment", "none"],
    ];
    let scores = frozen.map(|flags| {
        let metrics = train(&format!("frozen-{}", flags[3]), &flags);
        metrics
            .iter()
            .find_map(|line| line["test_loss"].as_f64())
            .expect("the epoch is scored")
    });
    assert_eq!(scores[0], scores[1]);
}

/// Two classes of pictures of several sizes: bright ones and dark ones.
fn write_photographs(place: &Place) {
    for (split, count) in [("train", 6), ("valid", 3), ("test", 4)] {
        for (class, tone) in [("bright", 200), ("dark", 20)] {
            for number in 0..count {
                let path = place.path(format!("photos/{split}/{class}/{number}.png"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let shade = |x, y| image::Rgb([tone + (x % 30) as u8, tone + (y % 30) as u8, tone]);
                RgbImage::from_fn(40 + 3 * number, 50 - number, shade)
                    .save(path)
                    .unwrap();
            }
        }
    }
}

#[test]
fn photographs_are_stored_larger_than_a_net_sees_them() {
    let place = Place::new();
    write_photographs(&place);
    let arguments: Vec<&str> =
        "train mlp --net baseline --data photos --epochs 2 --batch-size 4 --validation held-out \
        --augment resize:32+rotate:15+crop:24+flip+vflip/resize:28+center-crop:24 --out run"
            .split_whitespace()
            .collect();
    place.run_on_adapter(&arguments).succeeded();
    let config = place.read("run/config.toml");
    let augment = "augment = \"resize:32+rotate:15+crop:24+flip+vflip/resize:28+center-crop:24\"";
    assert!(config.contains(augment), "{config}");
    let epoch = place.metrics("run").pop().unwrap();
    assert_eq!(epoch["test_accuracy"], 1.0);
    assert_eq!(epoch["validation_accuracy"], 1.0);

    // A net for pictures of half the side: every size on the way there is halved.
    let halved = [
        &arguments[..arguments.len() - 1],
        &["half", "--image-size", "12"],
    ]
    .concat();
    place.run_on_adapter(&halved).succeeded();
    let config = place.read("half/config.toml");
    assert!(
        config.contains("resize:16+rotate:15+crop:12+flip+vflip/resize:14+center-crop:12"),
        "{config}"
    );
    let parameters = |folder: &str| {
        std::fs::metadata(place.path(format!("{folder}/baseline.safetensors")))
            .unwrap()
            .len()
    };
    assert!(parameters("half") < parameters("run"));

    let sheet =
        "data show photos --count 2 --versions 3 --augment resize:32+crop:24+flip --out sheet.png";
    let sheet: Vec<&str> = sheet.split_whitespace().collect();
    place.run_on_adapter(&sheet).succeeded();
    assert!(place.path("sheet.png").exists());
}

#[test]
fn augmentations_that_cannot_be_are_refused() {
    let place = Place::new();
    place
        .run(&["train", "regression", "--augment", "crop-flip"])
        .refused(2, "--augment");
    place
        .run(&["train", "--augment", "crop-flip", "--no-augment"])
        .misused("--no-augment");
    place
        .run(&["train", "--augment", "nosuch"])
        .misused("rotation-crop");
    place
        .run(&["train", "--augment", "crop:30/crop:30"])
        .misused("evaluation draws nothing");
    place
        .run(&["train", "--epochs", "1", "--augment", "crop:30"])
        .refused(2, "crop:30 is larger than the 28 x 28 pixels");
}
