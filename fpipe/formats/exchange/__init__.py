"""ANSI/NIST-ITL exchange files: ten-print cards and latents as departments send them to each other.

``records`` tells bytes and fields apart, ``pictures`` and ``features`` give them their meaning, ``efs`` is an
examiner's markup, ``building`` writes files.
"""
