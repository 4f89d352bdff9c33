//! The registry as clients see it: our own push, an independent OCI client, skopeo where it is installed.

mod stage;

use std::io::Write as _;
use std::process::Stdio;

use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::{IMAGE_LAYER_GZIP_MEDIA_TYPE, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference as OciReference};

use super::*;
use stage::{Stage, code, location};

#[tokio::test]
async fn a_packed_program_is_pushed_resolved_and_unpacked_once() {
    let stage = Stage::new().await;
    let digest = stage.push("first", "team/web:1.0.0").await;
    assert_eq!(
        stage.push("first", "team/web:1.0.0").await,
        digest,
        "pushing again changes nothing"
    );
    assert_eq!(stage.registry.resolve("team/web", "1.0.0"), Some(digest.clone()));
    assert_eq!(
        stage.registry.resolve("team/web", &digest.to_string()),
        Some(digest.clone())
    );
    assert_eq!(stage.registry.resolve("team/web", "2"), None);
    assert_eq!(stage.registry.resolve("../web", "1.0.0"), None);

    let image = stage.unpack("1.0.0").await.unwrap();
    assert_eq!(fs::read_to_string(image.rootfs.join("app/serve")).unwrap(), "first");
    assert_eq!(
        (image.image.entrypoint, image.image.cmd),
        (
            vec![String::from("/app/serve")],
            vec![String::from("--port"), String::from("8080")]
        )
    );
    assert_eq!(image.image.env, [(String::from("LEVEL"), String::from("a=b"))]);
    assert_eq!(
        (image.image.working_dir, image.image.digest),
        (PathBuf::from("/app"), digest.clone())
    );
    fs::write(image.rootfs.join("mark"), "").unwrap();
    assert!(
        stage
            .unpack(&digest.to_string())
            .await
            .unwrap()
            .rootfs
            .join("mark")
            .exists(),
        "not unpacked again"
    );

    let moved = stage.push("second", "team/web:1.0.0").await;
    assert_eq!(stage.registry.resolve("team/web", "1.0.0"), Some(moved));
    assert!(
        stage.unpack(&digest.to_string()).await.is_ok(),
        "the old one stays reachable by digest"
    );
    let missing = stage.unpack("9.9.9").await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the image team/web:9.9.9 is not in the registry: not found"
    );
}

#[tokio::test]
async fn an_independent_client_pushes_in_chunks_and_pulls() {
    let stage = Stage::new().await;
    let image: OciReference = format!("{}/team/other:1", stage.address).parse().unwrap();
    let client = Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    });
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(&mut gzip);
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(2);
    archive.append_data(&mut header, "bin/run", &b"ok"[..]).unwrap();
    archive.finish().unwrap();
    drop(archive);
    let layer = ImageLayer::new(gzip.finish().unwrap(), IMAGE_LAYER_GZIP_MEDIA_TYPE.to_owned(), None);
    let config = Config::oci_v1(
        br#"{"architecture":"amd64","os":"linux","config":{"Cmd":["run"]},"rootfs":{"type":"layers","diff_ids":[]}}"#
            .to_vec(),
        None,
    );
    let manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, None);
    let auth = RegistryAuth::Anonymous;
    client
        .push(&image, &[layer], config, &auth, Some(manifest))
        .await
        .unwrap();
    let (pulled, digest, _) = client.pull_manifest_and_config(&image, &auth).await.unwrap();
    assert_eq!(Some(digest.parse().unwrap()), stage.registry.resolve("team/other", "1"));
    let mut content = Vec::new();
    client.pull_blob(&image, &pulled.layers[0], &mut content).await.unwrap();
    assert_eq!(content.len().to_string(), pulled.layers[0].size.to_string());
    assert_eq!(client.list_tags(&image, &auth, None, None).await.unwrap().tags, ["1"]);
    let unpacked = stage.unpack_of("team/other", "1").await.unwrap();
    assert_eq!(fs::read_to_string(unpacked.rootfs.join("bin/run")).unwrap(), "ok");
    assert_eq!(
        (unpacked.image.cmd, unpacked.image.working_dir),
        (vec![String::from("run")], PathBuf::from("/"))
    );
}

#[tokio::test]
async fn uploads_in_every_way_and_wrong_digests_in_none() {
    let stage = Stage::new().await;
    let digest = Digest::of(b"content");
    let begin = || stage.call("POST", "/v2/a/blobs/uploads/", &[], "");
    let wrong = Digest::of(b"other");

    let upload = location(&begin().await);
    let refused = stage
        .call("PUT", &format!("{upload}?digest={wrong}"), &[], "content")
        .await;
    assert_eq!(code(&refused), (400, String::from("DIGEST_INVALID")));
    assert_eq!(
        stage
            .call("HEAD", &format!("/v2/a/blobs/{wrong}"), &[], "")
            .await
            .status(),
        404
    );

    let upload = location(&begin().await);
    let chunk = stage.call("PATCH", &upload, &[("content-range", "0-3")], "cont").await;
    assert_eq!(
        (chunk.status().as_u16(), chunk.headers()["range"].to_str().unwrap()),
        (202, "0-3")
    );
    let gap = stage.call("PATCH", &upload, &[("content-range", "5-6")], "nt").await;
    assert_eq!(code(&gap), (416, String::from("BLOB_UPLOAD_INVALID")));
    assert_eq!(stage.call("GET", &upload, &[], "").await.headers()["range"], "0-3");
    let done = stage
        .call(
            "PUT",
            &format!("{upload}?digest={digest}"),
            &[("content-range", "4-6")],
            "ent",
        )
        .await;
    assert_eq!(
        (done.status().as_u16(), location(&done)),
        (201, format!("/v2/a/blobs/{digest}"))
    );
    assert_eq!(
        code(&stage.call("PATCH", &upload, &[], "x").await).1,
        "BLOB_UPLOAD_UNKNOWN"
    );

    let single = stage
        .call("POST", &format!("/v2/b/blobs/uploads/?digest={digest}"), &[], "content")
        .await;
    assert_eq!(single.status(), 201);
    let mounted = stage
        .call("POST", &format!("/v2/c/blobs/uploads/?mount={digest}&from=a"), &[], "")
        .await;
    assert_eq!(mounted.status(), 201);
    let elsewhere = stage
        .call("POST", &format!("/v2/c/blobs/uploads/?mount={wrong}&from=a"), &[], "")
        .await;
    assert_eq!(elsewhere.status(), 202, "what is not there has to be uploaded");
    for repository in ["a", "b", "c"] {
        let blob = stage
            .call("GET", &format!("/v2/{repository}/blobs/{digest}"), &[], "")
            .await;
        assert_eq!(
            (blob.status().as_u16(), blob.body().as_ref()),
            (200, &b"content"[..]),
            "{repository}"
        );
    }
    let part = stage
        .call("GET", &format!("/v2/a/blobs/{digest}"), &[("range", "bytes=1-3")], "")
        .await;
    assert_eq!((part.status().as_u16(), part.body().as_ref()), (206, &b"ont"[..]));
    assert_eq!(part.headers()["content-range"], "bytes 1-3/7");
    let upload = location(&begin().await);
    assert_eq!(stage.call("DELETE", &upload, &[], "").await.status(), 204);
    assert_eq!(stage.call("GET", &upload, &[], "").await.status(), 404);
}

#[tokio::test]
async fn manifests_are_checked_negotiated_and_deleted() {
    let stage = Stage::new().await;
    let digest = stage.push("one", "team/web:1").await;
    let image = stage.call("GET", "/v2/team/web/manifests/1", &[], "").await;
    assert_eq!(image.headers()["content-type"], manifest::IMAGE_MANIFEST);
    assert_eq!(
        image.headers()["docker-content-digest"].to_str().unwrap(),
        digest.to_string()
    );
    let head = stage.call("HEAD", "/v2/team/web/manifests/1", &[], "").await;
    assert_eq!(
        head.headers()["content-length"].to_str().unwrap(),
        image.body().len().to_string()
    );

    let missing = image.body().clone();
    let refused = stage
        .call(
            "PUT",
            "/v2/other/manifests/1",
            &[("content-type", manifest::IMAGE_MANIFEST)],
            missing,
        )
        .await;
    assert_eq!(code(&refused).1, "MANIFEST_BLOB_UNKNOWN");
    let refused = stage
        .call(
            "PUT",
            "/v2/team/web/manifests/2",
            &[("content-type", manifest::IMAGE_MANIFEST)],
            Bytes::from_static(b"{}"),
        )
        .await;
    assert_eq!(code(&refused).1, "MANIFEST_INVALID");
    let refused = stage
        .call("PUT", &format!("/v2/team/web/manifests/{}", Digest::of(b"")), &[], "{}")
        .await;
    assert_eq!(code(&refused).1, "DIGEST_INVALID");

    let platform = serde_json::json!({ "architecture": manifest::architecture(), "os": "linux" });
    let index = serde_json::json!({ "schemaVersion": 2, "mediaType": manifest::IMAGE_INDEX, "manifests": [
        { "mediaType": manifest::IMAGE_MANIFEST, "digest": digest.to_string(), "size": image.body().len(), "platform": platform },
    ]});
    assert_eq!(
        stage
            .call(
                "PUT",
                "/v2/team/web/manifests/multi",
                &[("content-type", manifest::IMAGE_INDEX)],
                Bytes::from(index.to_string())
            )
            .await
            .status(),
        201
    );
    let both = format!("{}, {}", manifest::IMAGE_MANIFEST, manifest::IMAGE_INDEX);
    for (accept, expected) in [
        ("*/*", manifest::IMAGE_INDEX),
        (&both, manifest::IMAGE_INDEX),
        (manifest::IMAGE_MANIFEST, manifest::IMAGE_MANIFEST),
    ] {
        let answer = stage
            .call("GET", "/v2/team/web/manifests/multi", &[("accept", accept)], "")
            .await;
        assert_eq!(answer.headers()["content-type"], expected, "{accept}");
    }
    let unpacked = stage.unpack("multi").await.unwrap();
    assert_eq!(
        Some(unpacked.image.digest),
        stage.registry.resolve("team/web", "multi"),
        "the common digest, as pulled"
    );

    let tags = stage.call("GET", "/v2/team/web/tags/list?n=1", &[], "").await;
    assert_eq!(tags.body().as_ref(), br#"{"name":"team/web","tags":["1"]}"#);
    assert!(tags.headers().contains_key("link"));
    assert_eq!(
        stage.call("DELETE", "/v2/team/web/manifests/1", &[], "").await.status(),
        202
    );
    assert_eq!(
        code(&stage.call("GET", "/v2/team/web/manifests/1", &[], "").await),
        (404, String::from("MANIFEST_UNKNOWN"))
    );
    assert_eq!(
        stage
            .call("GET", &format!("/v2/team/web/manifests/{digest}"), &[], "")
            .await
            .status(),
        200
    );
    assert_eq!(
        code(&stage.call("GET", "/v2/nobody/tags/list", &[], "").await),
        (404, String::from("NAME_UNKNOWN"))
    );
}

#[tokio::test]
async fn hostile_names_are_refused() {
    let stage = Stage::new().await;
    for (method, path) in [
        ("POST", "/v2/../blobs/uploads/"),
        ("POST", "/v2/a/../../b/blobs/uploads/"),
        ("GET", "/v2/a/blobs/sha256:../../../../etc/passwd"),
        ("PUT", "/v2/a/blobs/uploads/..?digest=sha256:0"),
        ("GET", "/v2/a/blobs/uploads/..%2f..%2fjson"),
    ] {
        let status = stage.call(method, path, &[], "").await.status();
        assert!(status.is_client_error(), "{path}: {status}");
    }
    let left = fs::read_dir(stage.folder.path().join("registry")).unwrap().count();
    assert_eq!(left, 0, "nothing was created");
}

#[tokio::test]
async fn images_survive_a_restart_and_unfinished_uploads_do_not() {
    let stage = Stage::new().await;
    let digest = stage.push("one", "team/web:1").await;
    let upload = location(&stage.call("POST", "/v2/team/web/blobs/uploads/", &[], "").await);
    let again = Registry::open(stage.folder.path()).unwrap();
    assert_eq!(again.resolve("team/web", "1"), Some(digest));
    assert_eq!(stage.call("GET", &upload, &[], "").await.status(), 404);
}

#[tokio::test]
async fn skopeo_copies_in_and_out() {
    let installed = std::process::Command::new("skopeo")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !installed.is_ok_and(|status| status.success()) {
        // Past the test's captured output: nobody should believe that this ran.
        writeln!(
            io::stderr(),
            "SKIPPED skopeo_copies_in_and_out: skopeo is not installed (apt-get install skopeo)"
        )
        .unwrap();
        return;
    }
    let stage = Stage::new().await;
    let digest = stage.push("one", "team/web:1").await;
    let remote = format!("docker://{}/team/web:1", stage.address);
    let copy = format!("docker://{}/team/copy:2", stage.address);
    let local = format!("oci:{}:1", stage.folder.path().join("copied").display());
    skopeo(&["copy", "--src-tls-verify=false", &remote, &local]).await;
    skopeo(&["copy", "--dest-tls-verify=false", &local, &copy]).await;
    assert_eq!(
        stage.registry.resolve("team/copy", "2"),
        Some(digest.clone()),
        "the same bytes on every way"
    );
    let inspected = skopeo(&["inspect", "--tls-verify=false", &copy]).await;
    let inspected: serde_json::Value = serde_json::from_slice(&inspected).unwrap();
    assert_eq!(inspected["Digest"], digest.to_string());
    assert_eq!(inspected["Env"][0], "LEVEL=a=b");
    let layout = format!("oci:{}:1", stage.folder.path().join("registry/team%2Fweb").display());
    skopeo(&["inspect", &layout]).await;
}

async fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let output = tokio::process::Command::new("skopeo")
        .arg("--insecure-policy")
        .args(arguments)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "skopeo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
