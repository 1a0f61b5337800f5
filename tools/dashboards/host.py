"""The hosts: processor, memory, disks, network, services."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from tools.dashboards import limits
from tools.dashboards.parts import INSTANCE, above, frame, graph, listing, number, query, rate, section

_NODE = f'job="node",{INSTANCE}'
# Neither what lives in memory nor the layers of containers, which are the root's own space again.
_FILES = f'{_NODE},fstype!~"tmpfs|ramfs|overlay|squashfs|nsfs|fuse.*"'
_CARDS = 'device!~"lo|veth.*|br-.*|docker.*"'
_CPU = f'1 - avg by (instance) (rate(node_cpu_seconds_total{{{_NODE},mode="idle"}}[$__rate_interval]))'
_MEMORY = f"1 - node_memory_MemAvailable_bytes{{{_NODE}}} / node_memory_MemTotal_bytes{{{_NODE}}}"
# As df and the alert count: without the blocks that only root may use.
_USED = f"(node_filesystem_size_bytes{{{_FILES}}} - node_filesystem_free_bytes{{{_FILES}}})"
_DISK = f"max by (instance, mountpoint) ({_USED} / ({_USED} + node_filesystem_avail_bytes{{{_FILES}}} > 0))"


def host() -> dashboard.Dashboard:
    """Return the dashboard of the hosts."""
    made = frame(
        "assistant-host",
        "Host",
        (
            "Is the machine itself well: processor, memory, disks, network, services.",
            "主机本身是否正常：处理器、内存、磁盘、网络、系统服务。",
        ),
        'node_uname_info{job="node"}',
    )
    _now(made)
    _processor_and_memory(made)
    _disks(made)
    _network_and_services(made)
    return made


def _now(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Now 当前",
        number(
            "Processor",
            ("Share of the processors' time that is used.", "处理器使用率。"),
            "percentunit",
            f"max({_CPU})",
            width=4,
            decimals=0,
        ),
        number(
            "Memory used",
            ("Share of memory that programs cannot give back.", "不可回收的内存比例。"),
            "percentunit",
            f"max({_MEMORY})",
            width=4,
            steps=above(limits.HOST_MEMORY_RATIO),
            decimals=0,
        ),
        number(
            "Fullest disk",
            ("Share of the fullest file system that is used.", "最满的文件系统使用率。"),
            "percentunit",
            f"max({_DISK})",
            width=4,
            steps=above(limits.DISK_RATIO),
            decimals=0,
        ),
        number(
            "Failed units",
            ("Services of systemd that failed.", "失败的 systemd 服务数。"),
            "none",
            f'sum(node_systemd_unit_state{{{_NODE},state="failed"}})',
            width=4,
            steps=above(1),
        ),
        number(
            "Running for",
            ("Time since the host started.", "主机已运行时间。"),
            "s",
            f"min(time() - node_boot_time_seconds{{{_NODE}}})",
            width=4,
            decimals=0,
        ),
        number(
            "Clock",
            (
                "How far the clock is from the time servers'; signatures of platforms fail beyond minutes.",
                "时钟偏差；偏差数分钟以上会导致平台签名校验失败。",
            ),
            "s",
            f"max(abs(node_timex_offset_seconds{{{_NODE}}}))",
            width=4,
            steps=above(1),
        ),
    )


def _processor_and_memory(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Processor and memory 处理器与内存",
        graph(
            "Processor, by use",
            (
                "Processor cores by what they do; iowait is time lost to disks, steal to other machines.",
                "处理器各用途占用的核数；iowait 为等待磁盘，steal 为被其他虚拟机占用。",
            ),
            "none",
            query(rate("node_cpu_seconds_total", "mode", 'mode!="idle"', _NODE), "{{mode}}"),
            stacked=True,
        ),
        graph(
            "Load",
            (
                "Programs that run or wait to run, and the number of cores.",
                "运行或等待运行的进程数，以及核数。",
            ),
            "none",
            query(f"node_load1{{{_NODE}}}", "{{instance}} 1 min"),
            query(f"node_load5{{{_NODE}}}", "{{instance}} 5 min"),
            query(
                f'count by (instance) (node_cpu_seconds_total{{{_NODE},mode="idle"}})', "{{instance}} cores"
            ),
        ),
        graph(
            "Memory",
            (
                "Memory in use, what can be had, and all of it.",
                "已用、可用与总内存。",
            ),
            "bytes",
            query(
                f"node_memory_MemTotal_bytes{{{_NODE}}} - node_memory_MemAvailable_bytes{{{_NODE}}}",
                "{{instance}} used",
            ),
            query(f"node_memory_MemTotal_bytes{{{_NODE}}}", "{{instance}} total"),
            query(
                f"node_memory_SwapTotal_bytes{{{_NODE}}} - node_memory_SwapFree_bytes{{{_NODE}}}",
                "{{instance}} swap used",
            ),
        ),
    )


def _disks(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Disks 磁盘",
        graph(
            "Space used",
            (
                "Share of each file system that is used; an alert begins at 85 %.",
                "各文件系统使用率，达 85% 告警。",
            ),
            "percentunit",
            query(_DISK, "{{instance}} {{mountpoint}}"),
            steps=above(limits.DISK_RATIO),
            most=1,
            width=6,
        ),
        graph(
            "Inodes used",
            ("Share of each file system's inodes that is used.", "各文件系统 inode 使用率。"),
            "percentunit",
            query(
                f"max by (instance, mountpoint) (1 - node_filesystem_files_free{{{_FILES}}}"
                f" / (node_filesystem_files{{{_FILES}}} > 0))",
                "{{instance}} {{mountpoint}}",
            ),
            steps=above(limits.DISK_RATIO),
            most=1,
            width=6,
        ),
        graph(
            "Read and written",
            ("Bytes read from and written to the disks in a second.", "磁盘每秒读写字节数。"),
            "Bps",
            query(rate("node_disk_read_bytes_total", "instance", job=_NODE), "{{instance}} read"),
            query(rate("node_disk_written_bytes_total", "instance", job=_NODE), "{{instance}} written"),
            width=6,
        ),
        graph(
            "Busy",
            (
                "Share of the time in which a disk had work; near 100 % it is too slow.",
                "磁盘忙碌时间比例；接近 100% 说明磁盘过慢。",
            ),
            "percentunit",
            query(
                f"max by (instance, device) "
                f"(rate(node_disk_io_time_seconds_total{{{_NODE}}}[$__rate_interval]))",
                "{{instance}} {{device}}",
            ),
            most=1,
            width=6,
        ),
    )


def _network_and_services(made: dashboard.Dashboard) -> None:
    section(
        made,
        "Network and services 网络与服务",
        graph(
            "Network",
            (
                "Bytes received and sent in a second, without the host's inner networks.",
                "每秒收发字节数（不含内部网络）。",
            ),
            "Bps",
            query(rate("node_network_receive_bytes_total", "instance", _CARDS, _NODE), "{{instance}} in"),
            query(rate("node_network_transmit_bytes_total", "instance", _CARDS, _NODE), "{{instance}} out"),
            width=6,
        ),
        graph(
            "Network faults",
            ("Packets in a second that were broken or dropped.", "每秒出错或丢弃的数据包。"),
            "pps",
            query(
                f"{rate('node_network_receive_errs_total', 'instance', _CARDS, _NODE)}"
                f" + {rate('node_network_transmit_errs_total', 'instance', _CARDS, _NODE)}",
                "{{instance}} broken",
            ),
            query(
                f"{rate('node_network_receive_drop_total', 'instance', _CARDS, _NODE)}"
                f" + {rate('node_network_transmit_drop_total', 'instance', _CARDS, _NODE)}",
                "{{instance}} dropped",
            ),
            width=6,
        ),
        graph(
            "Killed for memory",
            (
                "Processes that the kernel killed in the last hour because memory was short.",
                "最近一小时因内存不足被内核终止的进程数。",
            ),
            "none",
            query(f"increase(node_vmstat_oom_kill{{{_NODE}}}[1h])", "{{instance}}"),
            steps=above(1),
            width=4,
        ),
        listing(
            "Failed units by name",
            (
                "Services of systemd that failed; systemctl status NAME says why.",
                "失败的 systemd 服务；systemctl status 名称 可查看原因。",
            ),
            f'node_systemd_unit_state{{{_NODE},state="failed"}} == 1',
            hidden=("state", "type", "Value"),
            width=8,
        ),
    )
