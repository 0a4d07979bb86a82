/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stand-in for LibreSSL, for tests/build/test_libressl.sh: what this program may use of it, and
 * nothing else. Each name was looked up in LibreSSL's own headers and lists of symbols, of 4.1 and of
 * the development after it, and is declared with the types that it has there. What is a macro there
 * can be a function here, with the types that the macro would take.
 *
 * A name that is missing here is to be looked up in the same way before it is added; one that LibreSSL
 * does not have belongs into modules/tls/compat.c or proxy/secure_compat.h. Only whether a macro is
 * defined there is to be the same here: constants are enumerators, so that nothing can ask.
 */
#ifndef STAND_IN_LIBRESSL_H
#define STAND_IN_LIBRESSL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define LIBRESSL_VERSION_NUMBER 0x4010000fL
#define OPENSSL_VERSION_NUMBER 0x20000000L

/* ---- types ---------------------------------------------------------------------------------- */

#define STACK_OF(type) struct stack_st_##type

typedef struct asn1_string_st ASN1_GENERALIZEDTIME, ASN1_INTEGER, ASN1_OCTET_STRING, ASN1_TIME;
typedef struct asn1_object_st ASN1_OBJECT;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;
typedef struct crypto_ex_data_st CRYPTO_EX_DATA;
typedef struct dh_st DH;
typedef struct engine_st ENGINE;
typedef struct evp_cipher_st EVP_CIPHER;
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct hmac_ctx_st HMAC_CTX;
typedef struct ocsp_basic_response_st OCSP_BASICRESP;
typedef struct ocsp_cert_id_st OCSP_CERTID;
typedef struct ocsp_response_st OCSP_RESPONSE;
typedef struct ocsp_single_response_st OCSP_SINGLERESP;
typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_method_st SSL_METHOD;
typedef struct ssl_session_st SSL_SESSION;
typedef struct x509_st X509;
typedef struct X509_name_st X509_NAME;
typedef struct x509_store_st X509_STORE;
typedef struct x509_store_ctx_st X509_STORE_CTX;
typedef struct X509_VERIFY_PARAM_st X509_VERIFY_PARAM;

typedef int pem_password_cb(char *, int, int, void *);
typedef int CRYPTO_EX_new(void *, void *, CRYPTO_EX_DATA *, int, long, void *);
typedef int CRYPTO_EX_dup(CRYPTO_EX_DATA *, CRYPTO_EX_DATA *, void *, int, long, void *);
typedef void CRYPTO_EX_free(void *, void *, CRYPTO_EX_DATA *, int, long, void *);

/* ---- libcrypto ------------------------------------------------------------------------------ */

enum {
	BIO_CTRL_EOF = 2,
	BIO_CTRL_FLUSH = 11,
	BIO_NOCLOSE = 0,
	BIO_TYPE_SOURCE_SINK = 0x400,
	ERR_LIB_PEM = 9,
	EVP_MAX_MD_SIZE = 64,
	EVP_PKEY_RSA = 6,
	EVP_PKEY_RSA_PSS = 912,
	OCSP_RESPONSE_STATUS_SUCCESSFUL = 0,
	PEM_R_NO_START_LINE = 108,
	X509_V_OK = 0,
	XN_FLAG_RFC2253 = 0x1110317,
};

int ASN1_TIME_diff(int *, int *, const ASN1_TIME *, const ASN1_TIME *);
void ASN1_TIME_free(ASN1_TIME *);
ASN1_TIME *ASN1_TIME_set(ASN1_TIME *, time_t);
int ASN1_TIME_to_tm(const ASN1_TIME *, struct tm *);
int i2d_ASN1_INTEGER(const ASN1_INTEGER *, unsigned char **);

void BIO_clear_retry_flags(BIO *);
int BIO_free(BIO *);
void *BIO_get_data(BIO *);
long BIO_get_mem_data(BIO *, char **);
int BIO_get_new_index(void);
void BIO_meth_free(BIO_METHOD *);
BIO_METHOD *BIO_meth_new(int, const char *);
int BIO_meth_set_create(BIO_METHOD *, int (*)(BIO *));
int BIO_meth_set_ctrl(BIO_METHOD *, long (*)(BIO *, int, long, void *));
int BIO_meth_set_read(BIO_METHOD *, int (*)(BIO *, char *, int));
int BIO_meth_set_write(BIO_METHOD *, int (*)(BIO *, const char *, int));
BIO *BIO_new(const BIO_METHOD *);
BIO *BIO_new_mem_buf(const void *, int);
BIO *BIO_new_socket(int, int);
const BIO_METHOD *BIO_s_mem(void);
void BIO_set_data(BIO *, void *);
void BIO_set_init(BIO *, int);
void BIO_set_retry_read(BIO *);
void BIO_set_retry_write(BIO *);

int CRYPTO_memcmp(const void *, const void *, size_t);
void OPENSSL_cleanse(void *, size_t);
void OPENSSL_free(void *);
void *OPENSSL_malloc(size_t);
int RAND_bytes(unsigned char *, int);

int DH_bits(const DH *);
void DH_free(DH *);

int ERR_GET_LIB(unsigned long);
int ERR_GET_REASON(unsigned long);
void ERR_clear_error(void);
unsigned long ERR_peek_error(void);
unsigned long ERR_peek_last_error(void);
const char *ERR_reason_error_string(unsigned long);

int EVP_CIPHER_iv_length(const EVP_CIPHER *);
int EVP_CipherInit_ex(EVP_CIPHER_CTX *, const EVP_CIPHER *, ENGINE *, const unsigned char *,
                      const unsigned char *, int);
int EVP_DigestFinal_ex(EVP_MD_CTX *, unsigned char *, unsigned int *);
int EVP_DigestInit_ex(EVP_MD_CTX *, const EVP_MD *, ENGINE *);
int EVP_DigestUpdate(EVP_MD_CTX *, const void *, size_t);
void EVP_MD_CTX_free(EVP_MD_CTX *);
EVP_MD_CTX *EVP_MD_CTX_new(void);
int EVP_PKEY_base_id(const EVP_PKEY *);
int EVP_PKEY_bits(const EVP_PKEY *);
void EVP_PKEY_free(EVP_PKEY *);
const EVP_CIPHER *EVP_aes_256_cbc(void);
const EVP_MD *EVP_sha256(void);

unsigned char *HMAC(const EVP_MD *, const void *, int, const unsigned char *, size_t,
                    unsigned char *, unsigned int *);
int HMAC_Init_ex(HMAC_CTX *, const void *, int, const EVP_MD *, ENGINE *);

void OCSP_BASICRESP_free(OCSP_BASICRESP *);
void OCSP_RESPONSE_free(OCSP_RESPONSE *);
const OCSP_CERTID *OCSP_SINGLERESP_get0_id(const OCSP_SINGLERESP *);
int OCSP_id_get0_info(ASN1_OCTET_STRING **, ASN1_OBJECT **, ASN1_OCTET_STRING **, ASN1_INTEGER **,
                      OCSP_CERTID *);
OCSP_SINGLERESP *OCSP_resp_get0(OCSP_BASICRESP *, int);
OCSP_BASICRESP *OCSP_response_get1_basic(OCSP_RESPONSE *);
int OCSP_response_status(OCSP_RESPONSE *);
int OCSP_single_get0_status(OCSP_SINGLERESP *, int *, ASN1_GENERALIZEDTIME **,
                            ASN1_GENERALIZEDTIME **, ASN1_GENERALIZEDTIME **);
OCSP_RESPONSE *d2i_OCSP_RESPONSE(OCSP_RESPONSE **, const unsigned char **, long);

DH *PEM_read_bio_DHparams(BIO *, DH **, pem_password_cb *, void *);
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *, EVP_PKEY **, pem_password_cb *, void *);
X509 *PEM_read_bio_X509(BIO *, X509 **, pem_password_cb *, void *);

STACK_OF(X509) *sk_X509_new_null(void);
int sk_X509_num(const STACK_OF(X509) *);
void sk_X509_pop_free(STACK_OF(X509) *, void (*)(X509 *));
int sk_X509_push(STACK_OF(X509) *, X509 *);
X509 *sk_X509_shift(STACK_OF(X509) *);
X509 *sk_X509_value(const STACK_OF(X509) *, int);

int X509_NAME_print_ex(BIO *, const X509_NAME *, int, unsigned long);
int X509_STORE_add_cert(X509_STORE *, X509 *);
int X509_VERIFY_PARAM_set1_ip_asc(X509_VERIFY_PARAM *, const char *);
int X509_check_private_key(const X509 *, const EVP_PKEY *);
int X509_cmp_current_time(const ASN1_TIME *);
void X509_free(X509 *);
const ASN1_TIME *X509_get0_notAfter(const X509 *);
const ASN1_TIME *X509_get0_notBefore(const X509 *);
EVP_PKEY *X509_get0_pubkey(const X509 *);
const ASN1_INTEGER *X509_get0_serialNumber(const X509 *);
const char *X509_get_default_cert_dir(void);
const char *X509_get_default_cert_dir_env(void);
const char *X509_get_default_cert_file(void);
const char *X509_get_default_cert_file_env(void);
X509_NAME *X509_get_subject_name(const X509 *);
const char *X509_verify_cert_error_string(long);

/* ---- libssl --------------------------------------------------------------------------------- */

enum {
	OPENSSL_NPN_NEGOTIATED = 1,
	SSL3_RT_HANDSHAKE = 22,
	SSL3_RT_APPLICATION_DATA = 23,
	SSL_AD_UNRECOGNIZED_NAME = 112,
	SSL_CTRL_SET_TLSEXT_HOSTNAME = 55,
	SSL_ERROR_WANT_READ = 2,
	SSL_ERROR_WANT_WRITE = 3,
	SSL_ERROR_SYSCALL = 5,
	SSL_ERROR_ZERO_RETURN = 6,
	SSL_FILETYPE_PEM = 1,
	SSL_MODE_ENABLE_PARTIAL_WRITE = 1,
	SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 2,
	SSL_MODE_RELEASE_BUFFERS = 16,
	SSL_OP_CIPHER_SERVER_PREFERENCE = 0x400000,
	SSL_OP_NO_COMPRESSION = 0,
	SSL_OP_NO_RENEGOTIATION = 0x40000,
	SSL_OP_SINGLE_DH_USE = 0x100000,
	SSL_RECEIVED_SHUTDOWN = 2,
	SSL_R_CERTIFICATE_VERIFY_FAILED = 134,
	SSL_SENT_SHUTDOWN = 1,
	SSL_SESS_CACHE_OFF = 0,
	SSL_SESS_CACHE_CLIENT = 1,
	SSL_SESS_CACHE_NO_INTERNAL = 0x300,
	SSL_TLSEXT_ERR_OK = 0,
	SSL_TLSEXT_ERR_ALERT_FATAL = 2,
	SSL_TLSEXT_ERR_NOACK = 3,
	SSL_VERIFY_NONE = 0,
	SSL_VERIFY_PEER = 1,
	SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2,
	TLS1_2_VERSION = 0x303,
	TLS1_3_VERSION = 0x304,
	TLSEXT_NAMETYPE_host_name = 0,
};

int SSL_CTX_add_client_CA(SSL_CTX *, X509 *);
int SSL_CTX_check_private_key(const SSL_CTX *);
void SSL_CTX_free(SSL_CTX *);
X509 *SSL_CTX_get0_certificate(const SSL_CTX *);
X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *);
int SSL_CTX_get_ex_new_index(long, void *, CRYPTO_EX_new *, CRYPTO_EX_dup *, CRYPTO_EX_free *);
int SSL_CTX_load_verify_locations(SSL_CTX *, const char *, const char *);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *);
void SSL_CTX_sess_set_new_cb(SSL_CTX *, int (*)(SSL *, SSL_SESSION *));
int SSL_CTX_set1_chain(SSL_CTX *, STACK_OF(X509) *);
int SSL_CTX_set1_groups_list(SSL_CTX *, const char *);
void SSL_CTX_set_alpn_select_cb(SSL_CTX *,
                                int (*)(SSL *, const unsigned char **, unsigned char *,
                                        const unsigned char *, unsigned int, void *),
                                void *);
int SSL_CTX_set_cipher_list(SSL_CTX *, const char *);
int SSL_CTX_set_ciphersuites(SSL_CTX *, const char *);
long SSL_CTX_set_dh_auto(SSL_CTX *, long);
int SSL_CTX_set_ex_data(SSL_CTX *, int, void *);
int SSL_CTX_set_min_proto_version(SSL_CTX *, uint16_t);
long SSL_CTX_set_mode(SSL_CTX *, long);
long SSL_CTX_set_options(SSL_CTX *, long);
long SSL_CTX_set_read_ahead(SSL_CTX *, long);
long SSL_CTX_set_session_cache_mode(SSL_CTX *, long);
int SSL_CTX_set_session_id_context(SSL_CTX *, const unsigned char *, unsigned int);
long SSL_CTX_set_timeout(SSL_CTX *, long);
long SSL_CTX_set_tlsext_servername_callback(SSL_CTX *, int (*)(SSL *, int *, void *));
long SSL_CTX_set_tlsext_status_arg(SSL_CTX *, void *);
long SSL_CTX_set_tlsext_status_cb(SSL_CTX *, int (*)(SSL *, void *));
long SSL_CTX_set_tlsext_ticket_key_cb(SSL_CTX *,
                                      int (*)(SSL *, unsigned char *, unsigned char *,
                                              EVP_CIPHER_CTX *, HMAC_CTX *, int));
long SSL_CTX_set_tmp_dh(SSL_CTX *, DH *);
void SSL_CTX_set_verify(SSL_CTX *, int, int (*)(int, X509_STORE_CTX *));
void SSL_CTX_set_verify_depth(SSL_CTX *, int);
int SSL_CTX_use_PrivateKey(SSL_CTX *, EVP_PKEY *);
int SSL_CTX_use_PrivateKey_file(SSL_CTX *, const char *, int);
int SSL_CTX_use_certificate(SSL_CTX *, X509 *);
int SSL_CTX_use_certificate_chain_file(SSL_CTX *, const char *);

void SSL_SESSION_free(SSL_SESSION *);
int SSL_SESSION_get_protocol_version(const SSL_SESSION *);

long SSL_ctrl(SSL *, int, long, void *);
int SSL_do_handshake(SSL *);
void SSL_free(SSL *);
void SSL_get0_alpn_selected(const SSL *, const unsigned char **, unsigned int *);
X509_VERIFY_PARAM *SSL_get0_param(SSL *);
SSL_CTX *SSL_get_SSL_CTX(const SSL *);
void *SSL_get_app_data(const SSL *);
X509 *SSL_get_certificate(const SSL *);
int SSL_get_error(const SSL *, int);
X509 *SSL_get_peer_certificate(const SSL *);
const char *SSL_get_servername(const SSL *, int);
int SSL_get_signature_type_nid(const SSL *, int *);
long SSL_get_verify_result(const SSL *);
SSL *SSL_new(SSL_CTX *);
int SSL_read(SSL *, void *, int);
int SSL_read_ex(SSL *, void *, size_t, size_t *);
int SSL_select_next_proto(unsigned char **, unsigned char *, const unsigned char *, unsigned int,
                          const unsigned char *, unsigned int);
int SSL_set1_host(SSL *, const char *);
SSL_CTX *SSL_set_SSL_CTX(SSL *, SSL_CTX *);
void SSL_set_accept_state(SSL *);
int SSL_set_app_data(SSL *, void *);
void SSL_set_bio(SSL *, BIO *, BIO *);
void SSL_set_connect_state(SSL *);
int SSL_set_fd(SSL *, int);
int SSL_set_session(SSL *, SSL_SESSION *);
void SSL_set_shutdown(SSL *, int);
long SSL_set_tlsext_status_ocsp_resp(SSL *, void *, long);
int SSL_shutdown(SSL *);
int SSL_write(SSL *, const void *, int);
int SSL_write_ex(SSL *, const void *, size_t, size_t *);
const SSL_METHOD *TLS_client_method(void);
const SSL_METHOD *TLS_server_method(void);

#endif
