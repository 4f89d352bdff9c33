//! The program of the container tests: linked statically against nothing but std, since its image holds nothing else.
//!
//! Without arguments it serves `RELEASE` on `HOST`:3000, and never handles SIGTERM: the first process of a container then
//! ignores it, so that only a kill ends it. With arguments it is a one-off task or a health check.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::ExitCode,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => serve(),
        ["exit", code] => ExitCode::from(code.parse::<u8>().unwrap_or(1)),
        ["print", ref names @ ..] => {
            for name in names {
                println!("{}", env::var(name).unwrap_or_default());
            }
            eprintln!("and to the other output");
            ExitCode::SUCCESS
        }
        ["confess"] => confess(),
        _ => ExitCode::from(64),
    }
}

/// Who it is, and what it may do.
fn confess() -> ExitCode {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for field in ["Uid", "CapBnd", "NoNewPrivs"] {
        let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
        println!("{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    println!("pid {}", std::process::id());
    println!("write {:?}", fs::write("/dev/shm/../../x", "x").map_err(|error| error.kind()));
    ExitCode::SUCCESS
}

fn serve() -> ExitCode {
    let host = env::var("HOST").unwrap_or_default();
    let Ok(listener) = TcpListener::bind((host.as_str(), 3000)) else {
        return ExitCode::from(98);
    };
    println!("listens on {host}");
    let body = env::var("RELEASE").unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut request = [0; 4096];
        if stream.read(&mut request).is_ok() && stream.write_all(answer.as_bytes()).is_err() {
            continue;
        }
    }
    ExitCode::FAILURE
}
