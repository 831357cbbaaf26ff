/* SPDX-License-Identifier: MIT */
/*
 * TCP echo on tokio's multi-thread runtime: -p port, -t workers. A task and a
 * 16 KiB buffer for each connection, as the documentation's own echo has it.
 * With -u 1 UDP echo instead.
 */
use std::io::Write;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0u8; 16384];
    loop {
        let got = stream.read(&mut buffer).await?;
        if got == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..got]).await?;
    }
}

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

/* UDP: one socket, a task that receives and answers for each worker. */
async fn answer(socket: Arc<UdpSocket>) -> std::io::Result<()> {
    let mut buffer = vec![0u8; 16384];
    loop {
        let (got, from) = socket.recv_from(&mut buffer).await?;
        let _ = socket.send_to(&buffer[..got], from).await;
    }
}

async fn serve_udp(port: u16, workers: usize) -> std::io::Result<()> {
    let socket = Arc::new(UdpSocket::bind(("127.0.0.1", port)).await?);
    println!("listening on {}", socket.local_addr()?);
    std::io::stdout().flush()?;
    for _ in 1..workers {
        tokio::spawn(answer(socket.clone()));
    }
    answer(socket).await
}

fn option(name: &str, default: usize) -> usize {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|a| a == name) {
        Some(at) => args[at + 1].parse().expect("a number"),
        None => default,
    }
}

fn main() -> std::io::Result<()> {
    let workers = option("-t", 1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_io()
        .build()?;
    let port = option("-p", 0) as u16;
    let udp = option("-u", 0) != 0;
    /* Accept on a worker too: the main thread is not one. */
    runtime.block_on(async move {
        if udp {
            tokio::spawn(serve_udp(port, workers)).await.unwrap()
        } else {
            tokio::spawn(serve(port)).await.unwrap()
        }
    })
}
