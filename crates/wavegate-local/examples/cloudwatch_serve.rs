//! scratch server: not to be committed
#![expect(clippy::print_stdout, clippy::disallowed_methods, clippy::unwrap_used, reason = "scratch")]
use std::io::{BufRead, BufReader, Read, Write};
use wavegate_local::cloudwatch::{CloudWatch, WireRequest};
fn main() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let mut cloud = CloudWatch::new("eu-west-1", "123456789012");
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 { continue; }
        let mut parts = line.split_whitespace();
        let method = parts.next().unwrap().to_owned();
        let target = parts.next().unwrap().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut headers = vec![];
        loop {
            let mut h = String::new();
            reader.read_line(&mut h).unwrap();
            let h = h.trim_end();
            if h.is_empty() { break; }
            let (k, v) = h.split_once(':').unwrap();
            headers.push((k.to_lowercase(), v.trim().to_owned()));
        }
        let get = |n: &str| headers.iter().find(|(k, _)| k == n).map(|(_, v)| v.clone());
        let len: usize = get("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        if get("expect").is_some() { stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap(); }
        let mut body = vec![0; len];
        reader.read_exact(&mut body).unwrap();
        let now = get("x-test-now").and_then(|v| v.parse().ok()).unwrap_or_else(|| {
            i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap()
        });
        let ours = CloudWatch::is_request(path, &headers, &body);
        let request = WireRequest { method, path: path.to_owned(), query: query.to_owned(), headers, body };
        if !ours {
            stream.write_all(b"HTTP/1.1 418 not cloudwatch\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            continue;
        }
        let response = cloud.handle(now, &request);
        let mut out = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n", response.status, response.body.len());
        for (k, v) in &response.headers { out += &format!("{k}: {v}\r\n"); }
        out += "\r\n";
        stream.write_all(out.as_bytes()).unwrap();
        stream.write_all(&response.body).unwrap();
    }
}
