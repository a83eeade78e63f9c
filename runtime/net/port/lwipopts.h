/* SPDX-License-Identifier: ISC */
/*
 * lwipopts.h - lwIP as the guest runtime has it: no threads, timers and pools of our own,
 * both versions of IP, TCP with windows that fit a local network.
 */
#ifndef POLDER_LWIPOPTS_H
#define POLDER_LWIPOPTS_H

#include <stddef.h>
#include <stdint.h>

/* ---- system ---- */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_TIMERS 1
#define LWIP_TIMERS_CUSTOM 1 /* timers.c */
#define LWIP_STATS 0
#define LWIP_SINGLE_NETIF 0
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_NETIF_LOOPBACK 0

/* ---- memory: memory.c counts it and says how much there may be ---- */
#define MEM_LIBC_MALLOC 1
#define MEM_ALIGNMENT 16
#define MEMP_MEM_MALLOC 0
#define MEMP_NUM_UDP_PCB 256
#define MEMP_NUM_TCP_PCB 1024
#define MEMP_NUM_TCP_PCB_LISTEN 64
#define MEMP_NUM_TCP_SEG 16384
#define MEMP_NUM_PBUF 16384
#define MEMP_NUM_REASSDATA 8
#define MEMP_NUM_FRAG_PBUF 64
#define MEMP_NUM_RAW_PCB 4
#define MEMP_NUM_MLD6_GROUP 64
#define MEMP_NUM_ND6_QUEUE 32
#define MEMP_NUM_ARP_QUEUE 32
#define PBUF_POOL_SIZE 64
#define PBUF_POOL_BUFSIZE 1600
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define ETH_PAD_SIZE 0

/* ---- ethernet, IPv4 ---- */
#define LWIP_ETHERNET 1
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 64
#define ARP_QUEUEING 0 /* the last packet for an unknown neighbour waits, no more */
#define ETHARP_TRUST_IP_MAC 0
#define LWIP_IPV4 1
#define IP_FORWARD 0
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 24
#define IP_FRAG 1
#define IP_OPTIONS_ALLOWED 1
#define IP_SOF_BROADCAST 1
#define LWIP_ICMP 1
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0
#define LWIP_RAW 1
#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_AUTOIP 0
#define LWIP_IGMP 0
#define LWIP_NETIF_HOSTNAME 1

/* ---- IPv6 ---- */
#define LWIP_IPV6 1
#define LWIP_IPV6_NUM_ADDRESSES 4
#define LWIP_IPV6_FORWARD 0
#define LWIP_IPV6_FRAG 1
#define LWIP_IPV6_REASS 1
#define IPV6_FRAG_COPYHEADER 1 /* pointers are of 8 bytes */
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT 1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS 1
#define LWIP_IPV6_DHCP6 0
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 2
#define LWIP_ND6_NUM_NEIGHBORS 32
#define LWIP_ND6_NUM_DESTINATIONS 64
#define LWIP_ND6_QUEUEING 1
#define LWIP_IPV6_SCOPES 1

/* ---- UDP, DNS ---- */
#define LWIP_UDP 1
#define LWIP_DNS 1
#define DNS_TABLE_SIZE 16
#define DNS_MAX_NAME_LENGTH 256
#define DNS_MAX_SERVERS 4 /* two of DHCP, two of routers: nameservers.c */
#define DNS_MAX_RETRIES 4
#define LWIP_DNS_SECURE                                                                  \
	7 /* random numbers and ports, no two questions at once for one name */

/* ---- TCP ---- */
#define LWIP_TCP 1
#define TCP_MSS 8960 /* at most; a device's MTU says what it is */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 1
#define TCP_WND (64 * 1024)
#define TCP_SND_BUF (128 * 1024)
#define TCP_SND_QUEUELEN 512
#define TCP_SNDLOWAT (24 * 1024)
#define TCP_SNDQUEUELOWAT 256
#define TCP_OVERSIZE 1460
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 0xff
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 48
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_KEEPALIVE 1
#define TCP_MSL 5000UL
#define LWIP_RANDOMIZE_INITIAL_LOCAL_PORTS 1
#define LWIP_ALTCP 0

/* ---- checksums ---- */
#define LWIP_CHKSUM pg_lwip_checksum
uint16_t pg_lwip_checksum(const void *data, int len);
#define LWIP_CHECKSUM_ON_COPY 0

/* ---- ours ---- */
#define mem_clib_malloc pg_lwip_malloc
#define mem_clib_calloc pg_lwip_calloc
#define mem_clib_free pg_lwip_free
void *pg_lwip_malloc(size_t size);
void *pg_lwip_calloc(size_t n, size_t size);
void pg_lwip_free(void *p);

#define LWIP_HOOK_FILENAME "lwiphooks.h"

#endif
