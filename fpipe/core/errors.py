"""The one tree of errors.

Every error says what was got, what was expected, where, and what to do next.  ``code`` is stable and machine-readable
(it names the reason in a batch's list of what was left out), ``exit_code`` is what the command line returns.
"""

from __future__ import annotations

from typing import Any, ClassVar


class FpipeError(Exception):
    """Base of everything fpipe raises on purpose.

    A subclass states its message as ``template``, filled from the keyword arguments, which stay readable in ``facts``.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    template: ClassVar[str] = "{reason}"
    hint: ClassVar[str] = ""

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line: what was got, expected and where, then what to do."""
        text = self.template.format(**self.facts)
        hint = self.hint.format(**self.facts)
        return f"{text}; {hint}" if hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross process borders whole: workers raise them."""
        return _rebuild, (type(self), self.facts)


def _rebuild(kind: type[FpipeError], facts: dict[str, Any]) -> FpipeError:
    return kind(**facts)


class UsageError(FpipeError):
    """The request itself makes no sense."""

    code, exit_code = "usage", 2


class UnknownMethod(UsageError):
    """A preset names a stage method that does not exist."""

    code = "unknown_method"
    template = "{stage}: there is no method {got!r}"
    hint = "there is: {known}"


class BadParameter(UsageError):
    """A stage parameter is unknown or out of its range."""

    code = "bad_parameter"
    template = "{where}: {name} = {got!r} is not possible"
    hint = "expected {expected}"


class DigestMismatch(UsageError):
    """A template or search of other methods than the gallery's."""

    code = "digest_mismatch"
    template = "{where}: made with {got}, but the gallery holds {expected}"
    hint = "{what_to_do}"


# -- refused inputs: exit 5 ------------------------------------------------------------------------------------------


class InputRefused(FpipeError):
    """One input can't be used; a batch goes on and lists it."""

    code, exit_code = "refused", 5
    template = "{where}: {reason}"


class NotFound(InputRefused):
    """The file is not there or can't be opened."""

    code = "not_found"
    template = "{where}: {reason}"


class EmptyFile(InputRefused):
    """A file of zero bytes."""

    code = "empty"
    template = "{where}: the file is empty (0 bytes)"


class NotAnImage(InputRefused):
    """The content is none of the formats fpipe reads."""

    code = "not_an_image"
    template = "{where}: not a picture fpipe reads: {reason}"
    hint = "expected PNG, TIFF, BMP, JPEG, JPEG 2000, WSQ or an ANSI/NIST file with a picture"


class SeveralPictures(InputRefused):
    """An exchange file of several pictures where one is needed."""

    code = "several_pictures"
    template = "{where}: the file holds {count}{choice}: {listing}"
    hint = "name one as FILE#POSITION or FILE#idc=NUMBER"


class NoMarkup(InputRefused):
    """An examiner's minutiae are asked for where a file holds none."""

    code = "no_markup"
    template = "{where}: no markup: {reason}"


class Unsupported(InputRefused):
    """A known format in a variety that fpipe does not read."""

    code = "unsupported"
    template = "{where}: {reason}"


class Truncated(InputRefused):
    """The file ends before its content does."""

    code = "truncated"
    template = "{where}: the file is cut short: {reason}"
    hint = "get the file again from its source"


class Damaged(InputRefused):
    """The file's content contradicts itself or its checksums."""

    code = "damaged"
    template = "{where}: the file is damaged: {reason}"
    hint = "get the file again from its source"


class DecoderCrashed(Damaged):
    """The decoder's process died or ran out of time on this file."""

    code = "decoder_crashed"


class UnknownResolution(InputRefused):
    """No trustworthy resolution: never assumed in silence."""

    code = "unknown_ppi"
    template = "{where}: the resolution is unknown ({reason})"
    hint = "give it with --ppi"


class BlankImage(InputRefused):
    """A picture without any print in it."""

    code = "blank"
    template = "{where}: the picture is blank: {reason}"


class TooSmall(InputRefused):
    """A picture too small to hold a usable print."""

    code = "too_small"
    template = "{where}: {width} x {height} px is too small"
    hint = "expected at least {least} px on each side at {ppi} ppi"


class TooLarge(InputRefused):
    """A picture larger than any print: a decompression bomb or a page."""

    code = "too_large"
    template = "{where}: {width} x {height} px is too large"
    hint = "expected at most {most}; cut the print out of the picture first"


class NoRidges(InputRefused):
    """No ridge pattern was found."""

    code = "no_ridges"
    template = "{where}: no ridges found: {reason}"


class BadTemplate(InputRefused):
    """A template file that contradicts its format."""

    code = "bad_template"
    template = "{where}: not a usable {format} template: {reason}"


class NameTaken(InputRefused):
    """Another print of this name is in the gallery."""

    code = "name_taken"
    template = "{where}: the gallery holds other bytes under this name (sha256 {expected}, this file {got})"
    hint = "remove that print first, or give this file another name"


class PalmPicture(InputRefused):
    """A picture of a palm or sole inside a file whose fingers are wanted."""

    code = "palm"
    template = "{where}: {what}: no finger, so it is left out"


class SlapPicture(InputRefused):
    """A picture of several fingers where one is wanted."""

    code = "slap"
    template = "{where}: {what}: several fingers in one picture{reason}"


class TimedOut(InputRefused):
    """A print that took longer to read than it may."""

    code = "timeout"
    template = "{where}: reading it took longer than {seconds:g} s, so it was ended"
    hint = "allow more with --timeout"


class FileChanged(InputRefused):
    """A file whose bytes are others than a moment ago."""

    code = "changed"
    template = "{where}: the file was changed while it was being added"
    hint = "add it again when nobody writes to it"


class Fault(InputRefused):
    """An unforeseen exception while one file of a batch was read: listed as what it is, and the batch goes on."""

    code = "fault"
    template = "{where}: a fault in fpipe: {reason}"
    hint = "please report it"


class BadName(InputRefused):
    """A file name that can't be stored as text."""

    code = "bad_name"
    template = "{where}: the file's name is not valid text"
    hint = "rename the file"


# -- stored data -----------------------------------------------------------------------------------------------------


class IntegrityError(FpipeError):
    """What is stored is not what was stored."""

    code, exit_code = "integrity", 6
    template = "{where}: {reason}"
    hint = "run `fpipe gallery check`; `fpipe gallery rebuild` remakes the index from the records"


class BackupDamaged(IntegrityError):
    """A file of a folder of backups is not what was stored."""

    hint = "`fpipe gallery check` of the folder names all that is damaged; `restore --at` takes an older backup"


class PicturesChanged(IntegrityError):
    """The pictures beside an examiner's answers are not those that the key is of."""

    code = "pictures_changed"
    hint = "restore them; or copy the answers to another folder and name the key with --key, to grade them unchecked"


class NoGallery(FpipeError):
    """There is no gallery at this path."""

    code, exit_code = "no_gallery", 10
    template = "{where}: no gallery here"
    hint = "make one with `fpipe gallery create {where}`"


class GalleryExists(UsageError):
    """A gallery or other files are in the way."""

    code = "gallery_exists"
    template = "{where}: {reason}"
    hint = "choose an empty or new folder"


class GalleryVersion(FpipeError):
    """A gallery of a version this fpipe does not know."""

    code = "gallery_version"
    template = "{where}: the gallery has version {got}, this fpipe reads {expected}"
    hint = "{what_to_do}"


class Locked(FpipeError):
    """Another process holds the gallery."""

    code, exit_code = "locked", 11
    template = "{where}: {reason}"
    hint = "wait until the other command has ended"


class GalleryChanged(FpipeError):
    """A print was removed by another command while this one was at work."""

    code = "gallery_changed"
    template = "{where}: print {got} was removed meanwhile"
    hint = "run the command again"


class GalleryWritten(GalleryChanged):
    """A gallery was written to by another account while one read it that can't follow changes there."""

    template = "{where}: another account wrote to the gallery while this one, which may not write there, read it"
    hint = "run the command again when no other one writes; an account that may write there reads beside writers, too"


class NetworkDisk(FpipeError):
    """A gallery on a disk that can't keep its promises."""

    code = "network_disk"
    template = "{where}: a gallery can't be kept here: {reason}"
    hint = "keep it on a disk of this computer"


class UnknownPrint(UsageError):
    """A print is named that the gallery does not hold."""

    code = "unknown_print"
    template = "{where}: there is no print {got!r}"
    hint = "`fpipe gallery list {where}` names them"


class UnknownSubject(UsageError):
    """A subject is named that has no print in the gallery."""

    code = "unknown_subject"
    template = "{where}: no print is of the subject {got!r}"
    hint = "`fpipe gallery subjects {where}` names them"


class FileShared(UsageError):
    """Some pictures of a file are to be removed, but others of it stay, and with them the file."""

    code = "file_shared"
    template = "{where}: the file of {got} holds {others} too, which would stay"
    hint = "prints of one file are removed together: name them all"


class DiskFull(FpipeError):
    """Writing failed; what was stored before is whole."""

    code = "disk"
    template = "{where}: could not be written: {reason}"
    hint = "what was reported as stored is safe; free some space and run the command again"


class ReadOnly(DiskFull):
    """A medium or folder where this account may not write."""

    hint = "give this account the right to read and write there, or work on a copy on a writable disk"


class DiskGone(DiskFull):
    """A folder that is not there, or a disk that fails."""

    hint = "see that the folder is there, and that its disk is connected, works and has room"


class NoAccess(FpipeError):
    """A gallery, or a folder of backups, that this account may not look into."""

    code = "no_access"
    template = "{where}: this account may not look into it ({reason})"
    hint = "run the command as the account that made it, or have that one give access"


class MissingLibrary(FpipeError):
    """A library that this platform or installation lacks."""

    code = "missing_library"
    template = "{where}: needs the package {package}, which is not installed"
    hint = "{what_to_do}"


class NoBackup(FpipeError):
    """There are no backups at this path."""

    code, exit_code = "no_backup", 10
    template = "{where}: no backups here"
    hint = "`fpipe gallery backup GALLERY {where}` makes one"


class BackupUnknown(UsageError):
    """A backup is named that is not in the folder."""

    code = "unknown_backup"
    template = "{where}: there is no backup {got!r}"
    hint = "there is: {known}"
