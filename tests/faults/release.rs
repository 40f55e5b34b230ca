//! The points are no part of a release: no default feature has them, and nothing but their own
//! module knows the feature.

use std::fs;

use crate::matrix::root;

#[test]
fn no_feature_of_a_release_has_the_points() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let features = manifest["features"].as_table().unwrap();
    for (name, enables) in features.iter().filter(|(name, _)| *name != "fault-points") {
        let has = enables.as_array().unwrap().iter().any(|it| it.as_str() == Some("fault-points"));
        assert!(!has, "feature {name} enables the fault points");
    }
    let dependencies = manifest["dependencies"].as_table().unwrap();
    assert!(!dependencies.contains_key("tollgate"), "only tests may ask for them");
}

#[test]
fn only_their_module_knows_the_feature() {
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("src/fault_point.rs") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("fault-points"), "{}", path.display());
            }
        }
    }
}
