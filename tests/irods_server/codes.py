"""Status codes of iRODS that this server answers with (names and numbers: iRODS rodsErrorTable.h)."""

from enum import IntEnum


class Code(IntEnum):
    """What a reply's `int_info` means; zero is success."""

    OK = 0
    SYS_UNMATCHED_API_NUM = -12000
    SYS_NO_API_PRIV = -13000
    SYS_COPY_LEN_ERR = -27000
    SYS_COPY_ALREADY_IN_RESC = -46000
    SYS_NOT_SUPPORTED = -66000
    SYS_TAR_OPEN_ERR = -69000
    SYS_RESC_DOES_NOT_EXIST = -78000
    SYS_RESC_QUOTA_EXCEEDED = -110000
    SYS_INVALID_INPUT_PARAM = -130000
    SYS_INTERNAL_ERR = -154000
    INPUT_ARG_NOT_WELL_FORMED_ERR = -158000
    SYS_LIBRARY_ERROR = -167000
    SYS_NOT_ALLOWED = -169000
    JSON_VALIDATION_ERROR = -171000
    OVERWRITE_WITHOUT_FORCE_FLAG = -312000
    USER_CHKSUM_MISMATCH = -314000
    BAD_INPUT_DESC_INDEX = -345000
    OBJ_PATH_DOES_NOT_EXIST = -358000
    INTERMEDIATE_REPLICA_ACCESS = -405000
    LOCKED_DATA_OBJECT_ACCESS = -406000
    CHECK_VERIFICATION_RESULTS = -407000
    UNIX_FILE_READ_ERR_EBADF = -512009
    UNIX_FILE_WRITE_ERR_EBADF = -513009
    UNIX_FILE_WRITE_ERR_ENOSPC = -513028
    CAT_SQL_ERR = -806000
    CAT_NO_ROWS_FOUND = -808000
    CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME = -809000
    CAT_UNKNOWN_COLLECTION = -814000
    CAT_INVALID_ARGUMENT = -816000
    CAT_NO_ACCESS_PERMISSION = -818000
    CAT_SUCCESS_BUT_WITH_NO_INFO = -819000
    CAT_COLLECTION_NOT_EMPTY = -821000
    CAT_INVALID_AUTHENTICATION = -826000
    CAT_INVALID_USER = -827000
    CAT_INSUFFICIENT_PRIVILEGE_LEVEL = -830000
    CAT_NAME_EXISTS_AS_COLLECTION = -833000
    CAT_NAME_EXISTS_AS_DATAOBJ = -834000
    CAT_STATEMENT_TABLE_FULL = -860000
    PAM_AUTH_PASSWORD_FAILED = -993000
    HIERARCHY_ERROR = -1803000


class RefusedError(Exception):
    """A request that is answered with an error, and perhaps with a line of explanation or a body."""

    def __init__(self, code: int, message: str = "", status: int = 0, body: bytes = b"") -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = int(code)
        self.message = message
        self.status = status
        self.body = body
