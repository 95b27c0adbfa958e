;; Stands in for `wasi_snapshot_preview1` in core modules that are packed into components: the component then imports no
;; WASI at all. Clocks stand still, random bytes come from a fixed seed, the environment is empty, output is swallowed,
;; input has ended, and there are no files and no sockets. `exit` is a trap.
;;
;; `preview1.wasm` is this text assembled; a test compares them. Error numbers are those of the WASI 0.1 documentation:
;; 8 is `badf`, 52 is `nosys`.
(module
  (import "env" "memory" (memory 0))
  (global $state (mut i64) (i64.const 0x9e3779b97f4a7c15))

  (func $nothing (result i32) (i32.const 0))

  ;; Stores 0 at both addresses: no arguments, no variables, no bytes of either.
  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))

  (func (export "args_get") (param i32 i32) (result i32) (call $nothing))
  (func (export "args_sizes_get") (param i32 i32) (result i32) (call $none (local.get 0) (local.get 1)))
  (func (export "environ_get") (param i32 i32) (result i32) (call $nothing))
  (func (export "environ_sizes_get") (param i32 i32) (result i32) (call $none (local.get 0) (local.get 1)))
  (func (export "sched_yield") (result i32) (call $nothing))
  (func (export "proc_exit") (param i32) unreachable)
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52))

  ;; A nanosecond fine, and standing still at 1,700,000,000 seconds after the Unix epoch.
  (func (export "clock_res_get") (param $clock i32) (param $at i32) (result i32)
    (i64.store (local.get $at) (i64.const 1))
    (i32.const 0))
  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $at i32) (result i32)
    (i64.store (local.get $at) (i64.const 1700000000000000000))
    (i32.const 0))

  ;; Bytes of Marsaglia's xorshift64.
  (func (export "random_get") (param $at i32) (param $left i32) (result i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (global.set $state (i64.xor (global.get $state) (i64.shl (global.get $state) (i64.const 13))))
        (global.set $state (i64.xor (global.get $state) (i64.shr_u (global.get $state) (i64.const 7))))
        (global.set $state (i64.xor (global.get $state) (i64.shl (global.get $state) (i64.const 17))))
        (i32.store8 (local.get $at) (i32.wrap_i64 (i64.shr_u (global.get $state) (i64.const 32))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; Standard output and error take everything.
  (func (export "fd_write") (param $file i32) (param $vectors i32) (param $count i32) (param $at i32) (result i32)
    (local $total i32)
    (if (i32.gt_u (i32.sub (local.get $file) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $total (i32.add (local.get $total) (i32.load offset=4 (local.get $vectors))))
        (local.set $vectors (i32.add (local.get $vectors) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $at) (local.get $total))
    (i32.const 0))

  ;; Standard input has ended.
  (func (export "fd_read") (param $file i32) (param $vectors i32) (param $count i32) (param $at i32) (result i32)
    (if (local.get $file) (then (return (i32.const 8))))
    (i32.store (local.get $at) (i32.const 0))
    (i32.const 0))

  ;; Whatever is waited for is there at once: a subscription has 48 bytes, an event 32, both begin with the user's data;
  ;; the kind is the ninth byte of the one and the eleventh of the other.
  (func (export "poll_oneoff")
    (param $subscriptions i32) (param $events i32) (param $count i32) (param $at i32) (result i32)
    (local $left i32)
    (local.set $left (local.get $count))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (i64.store (local.get $events) (i64.load (local.get $subscriptions)))
        (i64.store offset=8 (local.get $events) (i64.const 0))
        (i64.store offset=16 (local.get $events) (i64.const 0))
        (i64.store offset=24 (local.get $events) (i64.const 0))
        (i32.store8 offset=10 (local.get $events) (i32.load8_u offset=8 (local.get $subscriptions)))
        (local.set $subscriptions (i32.add (local.get $subscriptions) (i32.const 48)))
        (local.set $events (i32.add (local.get $events) (i32.const 32)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $at) (local.get $count))
    (i32.const 0))

  ;; No other file is open, and none can be opened.
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_close") (param i32) (result i32) (call $nothing))
  (func (export "fd_datasync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 8))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 8)))
