"use strict";
// The words of the page in both languages, and numbers with their units. Nothing is drawn here.
// `{x}` is filled in; of a pair, the first is for one, the second for any other number.

const WORDS = {
  en: {
    title: "epollo: the loop, live",
    tagline: "One thread, one loop. This is what it does, turn by turn.",
    skip: "Skip to the turn in words",
    language: "Language", theme: "Theme", auto: "Auto", light: "Light", dark: "Dark",
    live: "Live", paused: "Paused", connecting: "Connecting …", replaying: "Slow motion",
    broken: "Connection to the server lost. Reconnecting …", silent: "No updates for {d}", slow: "{n} not shown: this browser was too slow",
    loop: "The loop",
    loop_about: "Each stroke from left to right is one turn: the loop sleeps until the kernel says that something is ready, reads, lets the state machines decide, writes, and tells the kernel what to watch next. Widths show only the order; sleep is drawn on a logarithmic scale.",
    lane_sleep: "asleep", lane_ready: "ready", lane_read: "reading", lane_decide: "deciding", lane_write: "writing", lane_arm: "watching",
    mark_done: "done", mark_block: "WouldBlock or not read", mark_end: "end of input", mark_error: "error", legend: "Marks",
    asleep_share: "asleep", working_share: "working", turns_each_second: "{n} turns/s",
    pause: "Pause", resume: "Resume", first: "First turn", previous: "Previous turn", next: "Next turn", last: "Latest turn",
    replay: "Slow motion", replay_stop: "Stop", speed: "Speed", speed_each: ["{n} step a second", "{n} steps a second"],
    filter: "Filter connections", filter_hint: "address or state", filter_clear: "Show all",
    own: "Show this page and the terminal, too",
    strip: "Turns {from} to {to}: {all} in all, {recorded} recorded ({shown} shown, {hidden} hidden), {left} left out of the sample.",
    strip_filter: "No recorded turn involves this connection.",
    empty: "Nothing has happened yet.", press: "Press “{p}” under “Try it” to connect a client.", press_off: "Connect a client to see it here.",
    canvas: "Timeline of turns. Left and right arrow keys choose a turn.",
    turn: "The turn in words", turn_n: "Turn {n}", turn_none: "Choose a turn above, or wait for one.", turn_scrolled: "scrolled off the chart", turn_hidden: "not on the chart: hidden by the filter",
    turn_about: "slept {waited}, {ready}, busy {busy}", ready_n: ["{n} event", "{n} events"],
    cut: ["{n} more step is not shown.", "{n} more steps are not shown."],
    hidden_steps: ["{n} step of other connections is hidden.", "{n} steps of other connections are hidden."],
    col_step: "Phase", col_who: "Who", col_what: "What happened", col_raw: "Raw event",
    wait_for: "Sleeps until something is ready, at most {d}", wait_ever: "Sleeps until something is ready, without limit", wait_look: "Polls without sleeping",
    wake: "Awake after {d}: {ready}", wake_none: "Awake after {d}: the timeout has expired, nothing was ready", wake_error: "Awake after {d}: {e}",
    over: "The turn ends after {d}",
    ready: "The kernel says: {flags}", ready_listener: "The kernel says: a connection is waiting at the {l} listener",
    flag_IN: "something to read", flag_PRI: "urgent data", flag_OUT: "room to write", flag_RDHUP: "the peer sends no more", flag_HUP: "both directions are closed", flag_ERR: "an error",
    accept_ok: "accept on {l}: a new connection", accept_from: "accept on {l}: a connection from {a}", accept_WouldBlock: "accept on {l}: no more connections are waiting", accept_error: "accept on {l} failed: {e}",
    pause_short: "The {l} listener pauses: no file descriptor is left", pause_until: "The {l} listener pauses for {d}: no file descriptor is left",
    open: "Opened: {p}", close: "Closed: {r}",
    read_n: "Read {n} (room for {room})", read_0: "Read 0 bytes: the peer sends no more", read_WouldBlock: "Nothing left to read: drained", read_error: "Read failed: {e}",
    hold_outbox: "Not read: {n} are waiting in its outbox", hold_session: "Not read: its session accepts no more now",
    connect_ok: "The connection is established", connect_WouldBlock: "Still connecting", connect_error: "Connecting failed: {e}",
    peek_n: "Peeked: the peer has sent more", peek_0: "Peeked: the peer sends no more", peek_WouldBlock: "Peeked: nothing is there", peek_error: "Peek failed: {e}",
    write_all: "Wrote {n}: all of it", write_some: "Wrote {n} of {offered}: the rest waits in the outbox", write_WouldBlock: "No room to write: {offered} wait in the outbox", write_error: "Write failed: {e}",
    delivery_all: "The peer has acknowledged {n}: all of it", delivery_some: "The peer has acknowledged {n}: not all yet", delivery_error: "What is acknowledged cannot be received: {e}", asked_none: "The connection has no error", asked_error: "The connection has failed: {e}",
    shutdown_ok: "Our direction is shut down: the peer will read end of input", shutdown_error: "Shutting down our direction failed: {e}",
    event: "Event for the state machine: {x}", effect: "Effect of the state machine: {x}", state: "State: {from} → {to}",
    event_Received: "{n} received", event_Eof: "the peer sends no more", event_Connected: "connected", event_TimerExpired: "its timer expired", event_Notified: "notified", event_Writable: "can send again", event_Stopping: "the server is stopping",
    effect_Send: "send {n}", effect_SendBack: "send {n} back", effect_ShutdownWrite: "send no more", effect_Close: "send no more, read no more", effect_Abort: "close now", effect_DiscardTyped: "discard what was typed but not read", effect_SetTimer: "set the timer", effect_Notify: "notify {x}", effect_StopAccepting: "accept no more connections", effect_Stop: "stop the server", effect_Refuse: "close, because a rule was broken: {x}",
    reason_Finished: "both directions ended, everything was sent", reason_Broken: "the connection broke (errno {x})", reason_Idle: "idle for too long", reason_WriteStalled: "accepted no data for too long", reason_Lingered: "did not close its direction in time", reason_Evicted: "had the most unsent bytes when memory ran short", reason_Aborted: "the state machine asked for it", reason_Stopped: "the server stopped",
    interest: "Watching for {x}", interest_was: "Watching for {x}, no longer for {was}",
    interest_read: "something to read", interest_write: "room to write", interest_both: "something to read or room to write", interest_nothing: "nothing", interest_error: "Watching failed: {e}",
    timer: "Timer set: due in {d}", timer_off: "Timer off", fire: "The timer has expired",
    peers: "Connections", peers_shown: "{shown} of {total} shown", peers_all: ["{total} open", "{total} open"], peers_match: "{n} match", peers_none: "No client is connected.", peers_no_match: "No connection in this list matches.",
    peers_about: "Choose one to follow it in every part of this page.",
    col_peer: "Connection", col_protocol: "Protocol", col_state: "State", col_interest: "Watching for", col_in: "In", col_out: "Out", col_outbox: "Outbox", col_halves: "Directions", col_idle: "Idle for", col_timer: "Timer in",
    follow: "Follow {name}", following: "Following {name}", armed_read: "read", armed_write: "write", armed_both: "read+write", armed_nothing: "none", none: "–",
    half_in: "in", half_out: "out", half_open: "open", half_finished: "ended", half_discarding: "discarding", half_left: "not read", half_finishing: "finishing", half_connecting: "connecting",
    machines: "State machines", machines_about: "The number is how many connections are in a state now; arrows light up as connections move.",
    machine_counts: "{p}: {n} connected",
    "state_hello.greeted": "got its greeting, is closing", "state_echo.echoing": "gets back what it sends", "state_echo.leaving": "has sent everything, is closing", "state_chat.lobby": "waits for a partner", "state_chat.speaking": "its turn to speak", "state_chat.listening": "waits for the other’s message", "state_chat.leaving": "is closing", "state_signals.waiting": "waits for Ctrl-C or kill", "state_terminal.open": "the server’s own input and output",
    counters: "Counters", counters_about: "The last minute. Everything is counted; rates cover the last second.",
    c_turns: "Turns", c_asleep: "Time asleep", c_latency: "Length of a turn", c_bytes: "Bytes", c_calls: "Calls", c_peers: "Connections", c_moves: "Opened and closed",
    s_turns: "turns", s_events: "events", s_asleep: "asleep", s_p50: "p50", s_p99: "p99", s_max: "max", s_in: "in", s_out: "out", s_reads: "reads", s_writes: "writes", s_block: "WouldBlock", s_opened: "opened", s_closed: "closed", s_pauses: "accept pauses",
    each_second: "{n}/s", ago: "60 s ago", now: "now",
    try: "Try it", try_about: "Practice clients that the server itself makes. Press a button and watch the turn that follows.",
    try_off: "The buttons are off: they work only if the page is served on a loopback address.", try_wait: "Waiting for the server …",
    try_connect: "Connect to {p}", try_connect_to: "Connect to", try_clients: "Your clients", try_none: "None yet. Connect one.", try_client: "Client {n} → {p}", try_gone: "gone",
    try_text: "What to send", try_send: "Send", try_escape: "\\n is a line end",
    do_send: "Client {n} sent it.", try_act: "What the client does",
    "act_half-frame": "Half a message", "act_half-close": "Half-close", act_reset: "Reset", "act_stop-reading": "Stop reading", "act_read-again": "Read again", act_flood: "Flood 1 MiB", act_close: "Close",
    hint_connect: "Watch the listener become ready, accept until WouldBlock, and a state machine start.",
    hint_send: "Watch IN, one read, the state machine’s answer and one write, all in one turn. In chat, a client that has no partner, or is out of turn, gets IN but is not read: the bytes wait in the kernel.",
    "hint_half-frame": "Echo sends these bytes back at once. Chat does not know yet whether the message is complete. With --framing auto, the default, it ends after 50 ms of silence and is delivered; if the first message ended with a line end, chat waits for the next line end.",
    "hint_half-close": "Watch RDHUP, then a read of 0 bytes: end of input. The server still answers, then closes its direction.",
    hint_reset: "Watch ERR and HUP, and the connection vanish without a FIN.",
    "hint_stop-reading": "Now flood a few times. The kernel keeps about 128 KiB of unsent bytes for a client (--send-buffer); then 64 KiB wait in the outbox, the server watches for room to write, and it no longer reads this client.",
    "hint_read-again": "Watch OUT: there is room again, and the outbox empties.",
    hint_flood: "Watch the read budget: a flood cannot take a whole turn for itself. What the client does not read waits in the outbox.",
    hint_close: "Watch the end of input and how the server responds.",
    try_failed: "Failed: {e}", unreachable: "the server cannot be reached",
    sampled: "Every 200 ms the server sends this page at most about 20 turns and 200 connections; the counters count everything.",
    foot: "epollo {v} · all times are from the server’s clock · this page loads nothing from elsewhere",
    ns: "{n} ns", us: "{n} µs", ms: "{n} ms", s: "{n} s", min: "{n} min", h: "{n} h",
  },
  ko: {
    title: "epollo: 실시간 이벤트 루프",
    tagline: "스레드 하나, 루프 하나. 루프가 하는 일을 한 턴씩 보여 줍니다.",
    skip: "턴 설명으로 건너뛰기",
    language: "언어", theme: "테마", auto: "자동", light: "밝게", dark: "어둡게",
    live: "실시간", paused: "일시 정지", connecting: "연결하는 중 …", replaying: "느린 재생",
    broken: "서버와 연결이 끊겼습니다. 다시 연결하는 중 …", silent: "{d} 동안 새 소식이 없습니다", slow: "브라우저가 느려 {n}개를 건너뜀",
    loop: "이벤트 루프",
    loop_about: "왼쪽에서 오른쪽으로 이어지는 한 획이 한 턴입니다. 루프는 무언가 준비되었다고 커널이 알릴 때까지 잠들었다가, 읽고, 상태 기계에 판단을 맡기고, 쓰고, 다음에 무엇을 기다릴지 정합니다. 너비는 순서만 나타내며, 잠든 시간은 로그 눈금으로 그렸습니다.",
    lane_sleep: "잠듦", lane_ready: "준비됨", lane_read: "읽기", lane_decide: "판단", lane_write: "쓰기", lane_arm: "감시 설정",
    mark_done: "완료", mark_block: "WouldBlock 또는 읽지 않음", mark_end: "입력 끝", mark_error: "오류", legend: "표시",
    asleep_share: "잠든 시간", working_share: "일한 시간", turns_each_second: "초당 {n}턴",
    pause: "일시 정지", resume: "계속", first: "첫 턴", previous: "이전 턴", next: "다음 턴", last: "최신 턴",
    replay: "느린 재생", replay_stop: "멈춤", speed: "속도", speed_each: ["초당 {n}단계", "초당 {n}단계"],
    filter: "연결 골라 보기", filter_hint: "주소, 프로토콜, 상태", filter_clear: "모두 보기",
    own: "이 페이지의 연결과 터미널도 보기",
    strip: "{from}번~{to}번 턴: 모두 {all}개, 기록 {recorded}개(표시 {shown}개, 숨김 {hidden}개), 표본에서 빠진 턴 {left}개.",
    strip_filter: "기록된 턴 가운데 이 연결에 관한 것이 없습니다.",
    empty: "아직 아무 일도 없습니다.", press: "‘직접 해 보기’에서 ‘{p}’ 버튼을 눌러 클라이언트를 연결해 보세요.", press_off: "클라이언트가 연결되면 여기에 나타납니다.",
    canvas: "턴 타임라인. 왼쪽·오른쪽 화살표 키로 턴을 고릅니다.",
    turn: "턴 설명", turn_n: "{n}번 턴", turn_none: "위에서 턴을 고르거나 잠시 기다리세요.", turn_scrolled: "차트 밖으로 지나감", turn_hidden: "차트에 없음: 골라 보기에서 제외됨",
    turn_about: "{waited} 동안 잠듦, {ready}, {busy} 동안 일함", ready_n: ["이벤트 {n}개", "이벤트 {n}개"],
    cut: ["{n}단계가 더 있으나 생략했습니다.", "{n}단계가 더 있으나 생략했습니다."],
    hidden_steps: ["다른 연결의 {n}단계를 숨겼습니다.", "다른 연결의 {n}단계를 숨겼습니다."],
    col_step: "단계", col_who: "대상", col_what: "일어난 일", col_raw: "원래 기록",
    wait_for: "무언가 준비될 때까지 잠듦, 최대 {d}", wait_ever: "무언가 준비될 때까지 시간제한 없이 잠듦", wait_look: "잠들지 않고 확인만 함",
    wake: "{d} 만에 깨어남: {ready}", wake_none: "{d} 만에 깨어남: 시간이 다 되었고 준비된 것은 없음", wake_error: "{d} 만에 깨어남: {e}",
    over: "{d} 만에 턴이 끝남",
    ready: "커널의 알림: {flags}", ready_listener: "커널의 알림: {l} 리스너에 기다리는 연결이 있음",
    flag_IN: "읽을 데이터 있음", flag_PRI: "긴급 데이터", flag_OUT: "쓸 자리 있음", flag_RDHUP: "상대가 더는 보내지 않음", flag_HUP: "양쪽 방향이 모두 닫힘", flag_ERR: "오류",
    accept_ok: "{l}에서 accept: 새 연결", accept_from: "{l}에서 accept: {a}에서 온 연결", accept_WouldBlock: "{l}에서 accept: 더 기다리는 연결이 없음", accept_error: "{l}에서 accept 실패: {e}",
    pause_short: "{l} 리스너가 쉼: 남은 파일 디스크립터가 없음", pause_until: "{l} 리스너가 {d} 동안 쉼: 남은 파일 디스크립터가 없음",
    open: "열림: {p}", close: "연결 끝: {r}",
    read_n: "{n} 읽음 (버퍼 {room})", read_0: "0바이트 읽음: 상대가 더는 보내지 않음", read_WouldBlock: "더 읽을 것이 없음: 다 비움", read_error: "읽기 실패: {e}",
    hold_outbox: "읽지 않음: {n}가 송신 대기열에서 기다림", hold_session: "읽지 않음: 세션이 지금은 더 받아들이지 않음",
    connect_ok: "연결이 이루어짐", connect_WouldBlock: "아직 연결하는 중", connect_error: "연결 실패: {e}",
    peek_n: "미리 봄(peek): 상대가 보낸 것이 더 있음", peek_0: "미리 봄(peek): 상대가 더는 보내지 않음", peek_WouldBlock: "미리 봄(peek): 아무것도 없음", peek_error: "미리 보기 실패: {e}",
    write_all: "{n} 씀: 전부 보냄", write_some: "{offered} 가운데 {n} 씀: 나머지는 송신 대기열에 남음", write_WouldBlock: "쓸 자리가 없음: {offered}가 송신 대기열에서 기다림", write_error: "쓰기 실패: {e}",
    delivery_all: "상대가 받았다고 확인한 양: {n}, 전부", delivery_some: "상대가 받았다고 확인한 양: {n}, 아직 남음", delivery_error: "확인된 양을 알 수 없음: {e}", asked_none: "연결에 오류 없음", asked_error: "연결에 오류가 있음: {e}",
    shutdown_ok: "우리 쪽 방향을 닫음: 상대는 입력의 끝을 읽게 됨", shutdown_error: "우리 쪽 방향을 닫지 못함: {e}",
    event: "상태 기계가 받은 이벤트: {x}", effect: "상태 기계가 요청한 효과: {x}", state: "상태: {from} → {to}",
    event_Received: "{n} 받음", event_Eof: "상대가 더는 보내지 않음", event_Connected: "연결됨", event_TimerExpired: "타이머가 만료됨", event_Notified: "알림을 받음", event_Writable: "다시 보낼 수 있음", event_Stopping: "서버가 곧 종료됨",
    effect_Send: "{n} 보내기", effect_SendBack: "{n} 되돌려 보내기", effect_ShutdownWrite: "더는 보내지 않기", effect_Close: "더는 보내지도 받지도 않기", effect_Abort: "바로 닫기", effect_DiscardTyped: "입력되었지만 아직 읽지 않은 것 버리기", effect_SetTimer: "타이머 설정", effect_Notify: "{x}에 알리기", effect_StopAccepting: "새 연결 받지 않기", effect_Stop: "서버 종료", effect_Refuse: "규칙을 어긴 상대와 끝내기: {x}",
    reason_Finished: "양쪽 방향이 끝났고 모두 보냄", reason_Broken: "연결이 끊어짐 (errno {x})", reason_Idle: "유휴 시간이 너무 김", reason_WriteStalled: "너무 오래 아무것도 받아 가지 않음", reason_Lingered: "상대가 자기 쪽 방향을 제때 닫지 않음", reason_Evicted: "메모리가 모자랄 때 보내지 못한 바이트가 가장 많았음", reason_Aborted: "상태 기계가 요청함", reason_Stopped: "서버가 종료됨",
    interest: "감시 대상: {x}", interest_was: "감시 대상: {x} (이전: {was})",
    interest_read: "읽을 데이터", interest_write: "쓸 자리", interest_both: "읽을 데이터와 쓸 자리", interest_nothing: "없음", interest_error: "감시 설정 실패: {e}",
    timer: "타이머 설정: {d} 뒤", timer_off: "타이머 해제", fire: "타이머가 만료됨",
    peers: "연결", peers_shown: "{total}개 중 {shown}개 표시", peers_all: ["{total}개 열림", "{total}개 열림"], peers_match: "{n}개 일치", peers_none: "연결된 클라이언트가 없습니다.", peers_no_match: "표시된 연결 가운데 일치하는 것이 없습니다.",
    peers_about: "하나를 고르면 페이지 전체에서 그 연결만 따라갑니다.",
    col_peer: "연결", col_protocol: "프로토콜", col_state: "상태", col_interest: "감시", col_in: "받음", col_out: "보냄", col_outbox: "송신 대기", col_halves: "방향", col_idle: "유휴 시간", col_timer: "타이머",
    follow: "{name} 따라가기", following: "{name} 따라가는 중", armed_read: "읽기", armed_write: "쓰기", armed_both: "읽기+쓰기", armed_nothing: "없음", none: "–",
    half_in: "받기", half_out: "보내기", half_open: "열림", half_finished: "끝남", half_discarding: "버리는 중", half_left: "읽지 않음", half_finishing: "마무리 중", half_connecting: "연결 중",
    machines: "상태 기계", machines_about: "숫자는 지금 그 상태에 있는 연결 수입니다. 연결의 상태가 바뀌면 화살표가 밝아집니다.",
    machine_counts: "{p}: 연결 {n}개",
    "state_hello.greeted": "인사를 받았고 닫는 중", "state_echo.echoing": "보낸 것을 그대로 돌려받음", "state_echo.leaving": "모두 보냈고 닫는 중", "state_chat.lobby": "대화 상대를 기다림", "state_chat.speaking": "말할 차례", "state_chat.listening": "상대의 말을 기다림", "state_chat.leaving": "닫는 중", "state_signals.waiting": "Ctrl-C와 kill을 기다림", "state_terminal.open": "서버 자신의 표준 입출력",
    counters: "지표", counters_about: "최근 1분입니다. 모두 빠짐없이 세며, 초당 값은 직전 1초 동안 잰 것입니다.",
    c_turns: "턴", c_asleep: "잠든 시간", c_latency: "한 턴의 길이", c_bytes: "바이트", c_calls: "호출", c_peers: "연결", c_moves: "열림과 닫힘",
    s_turns: "턴", s_events: "이벤트", s_asleep: "잠듦", s_p50: "p50", s_p99: "p99", s_max: "최대", s_in: "받음", s_out: "보냄", s_reads: "읽기", s_writes: "쓰기", s_block: "WouldBlock", s_opened: "열림", s_closed: "닫힘", s_pauses: "accept 중단",
    each_second: "{n}/초", ago: "60초 전", now: "지금",
    try: "직접 해 보기", try_about: "서버가 직접 만들어 주는 연습용 클라이언트입니다. 버튼을 누르고 이어지는 턴을 지켜보세요.",
    try_off: "버튼이 꺼져 있습니다. 페이지가 루프백 주소로 제공될 때만 쓸 수 있습니다.", try_wait: "서버를 기다리는 중 …",
    try_connect: "{p} 서비스에 연결", try_connect_to: "연결할 곳", try_clients: "내 클라이언트", try_none: "아직 없습니다. 하나 연결해 보세요.", try_client: "{n}번 클라이언트 → {p}", try_gone: "끝남",
    try_text: "보낼 내용", try_send: "보내기", try_escape: "\\n은 줄바꿈입니다",
    do_send: "{n}번 클라이언트가 보냈습니다.", try_act: "클라이언트가 할 일",
    "act_half-frame": "메시지 절반만", "act_half-close": "반쪽 종료", act_reset: "강제로 끊기(RST)", "act_stop-reading": "읽기 멈추기", "act_read-again": "다시 읽기", act_flood: "1 MiB 쏟아붓기", act_close: "닫기",
    hint_connect: "리스너가 준비되고, WouldBlock이 나올 때까지 accept하고, 상태 기계가 생기는 모습을 보세요.",
    hint_send: "IN 알림, 읽기 한 번, 상태 기계의 답, 쓰기 한 번이 한 턴에 끝나는 모습을 보세요. chat에서는 상대가 없거나 말할 차례가 아니면 IN이 와도 읽지 않습니다. 보낸 바이트는 커널에서 기다립니다.",
    "hint_half-frame": "echo는 이 바이트를 바로 돌려보냅니다. chat은 메시지가 끝났는지 아직 모릅니다. 기본값인 --framing auto에서는 50 ms 동안 조용하면 메시지가 끝난 것으로 보고 전달합니다. 첫 메시지가 줄바꿈으로 끝났다면 다음 줄바꿈을 기다립니다.",
    "hint_half-close": "RDHUP이 오고, 이어서 0바이트를 읽습니다. 입력이 끝난 것입니다. 서버는 마저 답한 뒤에 자기 쪽 방향을 닫습니다.",
    hint_reset: "ERR와 HUP이 오고, FIN도 없이 연결이 사라지는 모습을 보세요.",
    "hint_stop-reading": "이제 몇 번 쏟아부어 보세요. 커널은 클라이언트마다 보내지 못한 바이트를 128 KiB쯤 맡아 둡니다(--send-buffer). 그다음에는 64 KiB가 송신 대기열에서 기다리고, 서버는 쓸 자리가 나는지 감시하며 이 클라이언트를 더 읽지 않습니다.",
    "hint_read-again": "OUT 알림이 오고 송신 대기열이 비워지는 모습을 보세요.",
    hint_flood: "읽기 한도를 보세요. 마구 쏟아붓는 연결도 턴을 독차지하지 못합니다. 클라이언트가 받아 가지 않은 것은 송신 대기열에서 기다립니다.",
    hint_close: "입력이 끝나고 서버가 그에 답하는 모습을 보세요.",
    try_failed: "실패했습니다: {e}", unreachable: "서버에 연결할 수 없음",
    sampled: "서버는 이 페이지에 200 ms마다 많아야 20턴 정도, 연결은 200개까지만 보냅니다. 지표는 빠짐없이 셉니다.",
    foot: "epollo {v} · 모든 시각은 서버 시계 기준 · 이 페이지는 외부에서 아무것도 가져오지 않습니다",
    ns: "{n} ns", us: "{n} µs", ms: "{n} ms", s: "{n}초", min: "{n}분", h: "{n}시간",
  },
};

let language = "en";

function has(key) {
  return WORDS[language][key] !== undefined;
}

/// The words under `key` with what `values` say filled in; `values.count` chooses of a pair.
function say(key, values = {}) {
  let words = WORDS[language][key] ?? key;
  if (Array.isArray(words)) words = words[values.count === 1 ? 0 : 1];
  return words.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

function number(value, digits = 0) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/// Three digits, as many of them behind the point as fit.
function short(value) {
  return number(value, value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2);
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? number(value) : short(value)} ${units[unit]}`;
}

/// A time in nanoseconds; `write` says how its number is written.
function duration(value, write = short) {
  const units = [["ns", 1], ["us", 1e3], ["ms", 1e6], ["s", 1e9], ["min", 60e9], ["h", 3600e9]];
  const [unit, size] = units.findLast(([, size]) => value >= size) ?? units[0];
  return say(unit, { n: write(value / size) });
}

function milliseconds(value) {
  return value < 1 ? say("ms", { n: number(0) }) : duration(value * 1e6);
}

/// 12,345 as 12.3 k: for axes.
function brief(value) {
  if (value < 10_000) return short(Math.round(value * 100) / 100);
  return new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}
