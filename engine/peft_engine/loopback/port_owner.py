"""Who listens on a port of this machine."""

import psutil


def port_owner(port: int) -> str | None:
    """Return the name and pid of the process that listens on a port, None where the system does not tell."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return None
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except (psutil.Error, ValueError, TypeError):
                return None
    return None
